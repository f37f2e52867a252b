/** Files of a repository, read where they are: names, sizes, and ranges of bytes. Nothing is kept. */
import { PlatformError } from "../base/errors.ts";
import { checkAnswer } from "./download-file.ts";
import type { HubLimits } from "./limits.ts";
import { type RepoId, shown, showRepo } from "./names.ts";
import { retrying } from "./retry.ts";
import type { HubSource, RemoteFile, RemoteRevision } from "./sources/source.ts";
import { networkError, TransferError } from "./transfer-error.ts";

type Options = {
  readonly repo: RepoId;
  /** The hub's own default branch when absent. */
  readonly revision: string | undefined;
  readonly signal: AbortSignal;
  readonly limits: HubLimits;
};

/** A header or a configuration is smaller; weights are not read like this. */
const MAX_RANGE_BYTES = 8 * 1024 * 1024;

export class RemoteFiles {
  readonly #source: HubSource;
  readonly #revision: RemoteRevision;
  readonly #files: ReadonlyMap<string, RemoteFile>;
  readonly #options: Options;

  private constructor(
    source: HubSource,
    parts: {
      readonly revision: RemoteRevision;
      readonly files: readonly RemoteFile[];
      readonly options: Options;
    },
  ) {
    this.#source = source;
    this.#revision = parts.revision;
    this.#files = new Map(parts.files.map((file) => [file.path, file]));
    this.#options = parts.options;
  }

  /** @throws PlatformError as `pull`, before a file is asked for */
  static async list(source: HubSource, options: Options): Promise<RemoteFiles> {
    const { repo, revision: name = source.defaultRevision, signal } = options;
    const revision = await retrying(() => source.resolve(repo, name, signal), options);
    const files = await retrying(() => source.list(revision, signal), options);
    return new RemoteFiles(source, { revision, files, options });
  }

  /** `owner/name` */
  get repo(): string {
    return showRepo(this.#revision.repo);
  }

  /** Of files in the repository's own directory, by name. */
  get sizes(): ReadonlyMap<string, number> {
    const own = [...this.#files].filter(([path]) => !path.includes("/"));
    return new Map(own.map(([path, { sizeBytes }]) => [path, sizeBytes]));
  }

  /**
   * Bytes from `start` up to, not including, `end`.
   *
   * @throws PlatformError `invalid_hub_answer` for other bytes than these, `hub_unavailable`
   */
  async read(path: string, start: number, end: number): Promise<Uint8Array> {
    const file = this.#files.get(path);
    if (file === undefined || start < 0 || end > file.sizeBytes || end < start) {
      throw new Error("bytes were asked for that a file does not have");
    }
    if (end - start > MAX_RANGE_BYTES) throw new Error("a file is not to be read like this");
    if (start === end) return new Uint8Array();
    return await retrying(async () => await this.#readOnce(file, { start, end }), this.#options);
  }

  async #readOnce(
    file: RemoteFile,
    range: { readonly start: number; readonly end: number },
  ): Promise<Uint8Array> {
    const { limits, signal } = this.#options;
    const { host } = this.#source;
    const isWholeFile = range.start === 0 && range.end === file.sizeBytes;
    const asked = isWholeFile ? undefined : range;
    const answer = await this.#source.open(this.#revision, file, asked, signal);
    const { body, url } = answer;
    const timer = setTimeout(() => {
      body.destroy(new TransferError(`${url.host} stopped sending`));
    }, limits.stallMs * 2);
    try {
      checkAnswer(answer, { range, isWholeFile, file, host });
      const expected = range.end - range.start;
      const chunks: Buffer[] = [];
      let numBytes = 0;
      for await (const chunk of body) {
        const bytes = chunk as Buffer;
        numBytes += bytes.length;
        if (numBytes > expected) {
          throw new PlatformError(
            "invalid_hub_answer",
            `${host} sends more of ${shown(file.path)} than was asked for.`,
          );
        }
        chunks.push(bytes);
      }
      if (numBytes < expected) {
        throw new TransferError(`${url.host} ended ${shown(file.path)} too early`);
      }
      return Buffer.concat(chunks);
    } catch (error) {
      signal.throwIfAborted();
      throw networkError(error, url.host);
    } finally {
      clearTimeout(timer);
      body.on("error", () => undefined).destroy();
    }
  }
}
