/**
 * Hugging Face over its HTTP API. Files are asked for without Xet: the hub then bridges to plain HTTP,
 * with ranges, for every file.
 *
 * @see huggingface_hub 2.0.0, `hf_api.py` (`model_info`, `list_repo_tree`) and `file_download.py`
 */
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { type FailedAnswer, type HubAnswer, type HubHttp, isTemporary } from "../http.ts";
import { licenceNote } from "../licence-note.ts";
import { MAX_FILE_BYTES, MAX_FILES, MAX_PAGES } from "../limits.ts";
import { checkFilePath, type RepoId, shown, showRepo } from "../names.ts";
import type { HubToken } from "../settings.ts";
import { TransferError } from "../transfer-error.ts";
import type { ByteRange, HubSource, Licence, RemoteFile, RemoteRevision } from "./source.ts";

const sha1 = z.string().regex(/^[0-9a-f]{40}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const size = z.int().min(0).max(MAX_FILE_BYTES);

const ModelInfo = z.object({
  id: z.string().max(200),
  sha: sha1,
  tags: z.array(z.string().max(500)).max(10_000).catch([]),
  cardData: z
    .object({
      license: z.string().max(200).optional().catch(undefined),
      license_name: z.string().max(200).optional().catch(undefined),
      license_link: z.string().max(500).optional().catch(undefined),
    })
    .nullish()
    .catch(undefined),
});

const TreePage = z
  .array(
    z.object({
      type: z.string(),
      path: z.string(),
      oid: sha1,
      size,
      lfs: z.object({ oid: sha256, size }).optional(),
      xetHash: sha256.optional(),
    }),
  )
  .max(MAX_FILES);

export class HuggingFaceSource implements HubSource {
  readonly hub = "huggingface";
  readonly defaultRevision = "main";
  readonly #http: HubHttp;
  readonly #endpoint: string;
  readonly #token: HubToken | undefined;

  constructor(
    http: HubHttp,
    { endpoint, token }: { readonly endpoint: string; readonly token: HubToken | undefined },
  ) {
    this.#http = http;
    this.#endpoint = endpoint;
    this.#token = token;
  }

  get host(): string {
    return this.#http.host;
  }

  pageOf(repo: RepoId): string {
    return `${this.#endpoint}/${showRepo(repo)}`;
  }

  async resolve(repo: RepoId, revision: string, signal: AbortSignal): Promise<RemoteRevision> {
    const { value: info } = await this.#http.getJson(
      `${this.#endpoint}/api/models/${showRepo(repo)}/revision/${encodeURIComponent(revision)}`,
      { schema: ModelInfo, explain: (answer) => this.#explain(answer, repo, revision), signal },
    );
    if (/^[0-9a-f]{40}$/.test(revision) && info.sha !== revision) {
      throw invalid(`${this.host} was asked for commit ${revision} and names ${info.sha}.`);
    }
    return { repo, revision, commit: info.sha, licence: this.#licenceOf(info, repo) };
  }

  async list(revision: RemoteRevision, signal: AbortSignal): Promise<readonly RemoteFile[]> {
    const { repo, commit } = revision;
    const files: RemoteFile[] = [];
    let next: string | undefined =
      `${this.#endpoint}/api/models/${showRepo(repo)}/tree/${commit}?recursive=true&expand=false`;
    for (let numPages = 0; next !== undefined; numPages++) {
      if (numPages > MAX_PAGES || files.length > MAX_FILES) {
        throw invalid(
          `${this.host} lists more than ${MAX_FILES} files, or ${MAX_PAGES} pages of them, in ${showRepo(repo)}.`,
        );
      }
      const page: { value: z.infer<typeof TreePage>; headers: HubAnswer["headers"] } =
        await this.#http.getJson(next, {
          schema: TreePage,
          explain: (answer) => this.#explain(answer, repo, revision.revision),
          signal,
        });
      files.push(...page.value.filter(({ type }) => type === "file").map(toRemoteFile));
      next = this.#nextPage(page.headers["link"]);
    }
    return files;
  }

  async open(
    { repo, revision, commit }: RemoteRevision,
    file: RemoteFile,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<HubAnswer> {
    const path = file.path.split("/").map(encodeURIComponent).join("/");
    const headers = range === undefined ? {} : { range: `bytes=${range.start}-${range.end - 1}` };
    const answer = await this.#http.get(
      `${this.#endpoint}/${showRepo(repo)}/resolve/${commit}/${path}`,
      { headers, signal },
    );
    if (answer.status !== 200 && answer.status !== 206) {
      throw this.#explain(await this.#http.readFailure(answer), repo, revision, file);
    }
    const told = [...answer.hops, answer]
      .map((hop) => hop.headers["x-repo-commit"])
      .find((value) => value !== undefined);
    if (told !== undefined && told !== commit) {
      answer.body.on("error", () => undefined).destroy();
      throw invalid(
        `${this.host} answers for commit ${shown(told)} of ${showRepo(repo)} when asked for ${commit}.`,
      );
    }
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  /** The next page, which must be the hub's own: our token goes with it. */
  #nextPage(link: string | undefined): string | undefined {
    const address = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(link ?? "")?.[1];
    if (address === undefined) return undefined;
    const url = URL.canParse(address, this.#endpoint)
      ? new URL(address, this.#endpoint)
      : undefined;
    if (url?.origin !== new URL(this.#endpoint).origin) {
      throw invalid(`${this.host} continues its list of files at another address.`);
    }
    return url.href;
  }

  #licenceOf({ tags, cardData }: z.infer<typeof ModelInfo>, repo: RepoId): Licence | undefined {
    const tagged = tags.find((tag) => tag.startsWith("license:"))?.slice("license:".length);
    const named = cardData?.license === "other" ? cardData.license_name : cardData?.license;
    const name = named ?? tagged;
    if (name === undefined) return undefined;
    const link = cardData?.license_link;
    const isLink = link !== undefined && /^https:\/\/[^\s<>"]+$/.test(link);
    return {
      name: shown(name),
      link: isLink ? shown(link) : this.pageOf(repo),
      note: licenceNote(name),
    };
  }

  /** What the hub refused → what a person can do about it. */
  #explain(answer: FailedAnswer, repo: RepoId, revision: string, file?: RemoteFile): Error {
    const { status, isFromHub, retryAfterMs } = answer;
    if (isTemporary(status) || !isFromHub || status === 416) {
      // A store behind the hub refuses an address that has expired: the hub gives a new one.
      const reason = status === 429 ? "is asked too often" : `answers with status ${status}`;
      return new TransferError(`${this.host} ${reason}`, {
        retryAfterMs,
        restartsFile: status === 416,
      });
    }
    const isMissing = status === 401 || (status === 404 && file === undefined);
    return (
      this.#explainCode(answer, repo, revision) ??
      (isMissing
        ? new PlatformError("model_not_found", this.#absent(showRepo(repo)))
        : this.#explainRest(answer, repo, file))
    );
  }

  /** By the hub's own code or words, where it has some. */
  #explainCode(
    { status, errorCode, message }: FailedAnswer,
    repo: RepoId,
    revision: string,
  ): PlatformError | undefined {
    if (errorCode === "GatedRepo") return this.#gated(repo);
    if (status === 401 && /invalid (credentials|username|token)/i.test(message ?? "")) {
      return new PlatformError(
        "hub_unauthorized",
        `${this.host} does not know the token from ${this.#token?.source ?? "your login"}. Make a new one at ${this.#endpoint}/settings/tokens.`,
      );
    }
    if (errorCode !== "RevisionNotFound") return undefined;
    return new PlatformError(
      "model_not_found",
      `${showRepo(repo)} has no revision ${shown(revision)} on ${this.host}. See ${this.pageOf(repo)}.`,
    );
  }

  #explainRest(
    { status, message }: FailedAnswer,
    repo: RepoId,
    file: RemoteFile | undefined,
  ): PlatformError {
    const name = showRepo(repo);
    const words = message === undefined ? "" : `: ${message.replace(/\.$/, "")}`;
    if (status === 403) {
      return new PlatformError(
        "hub_unauthorized",
        `${this.host} does not let you have ${name}${words}. See ${this.pageOf(repo)}.`,
      );
    }
    const what = file === undefined ? name : `${shown(file.path)} of ${name}`;
    return invalid(`${this.host} answers with status ${status} for ${what}${words}.`);
  }

  #absent(name: string): string {
    const start = `${this.host} has no model ${name}`;
    return this.#token === undefined
      ? `${start}, or it is private: then set HF_TOKEN to a token of yours.`
      : `${start}, or the token from ${this.#token.source} may not see it.`;
  }

  #gated(repo: RepoId): PlatformError {
    const start = `${showRepo(repo)} is given out only to those who accept its licence: do so at ${this.pageOf(repo)}`;
    return new PlatformError(
      "gated_repository",
      this.#token === undefined
        ? `${start}, then set HF_TOKEN to a token of that account (${this.#endpoint}/settings/tokens).`
        : `${start} with the account of the token from ${this.#token.source}, and wait until it is granted.`,
      { details: { link: this.pageOf(repo) } },
    );
  }
}

function toRemoteFile(entry: z.infer<typeof TreePage>[number]): RemoteFile {
  const { path, oid, lfs, xetHash } = entry;
  return {
    path: checkFilePath(path),
    sizeBytes: lfs?.size ?? entry.size,
    digest:
      lfs === undefined
        ? { algorithm: "git-sha1", hex: oid }
        : { algorithm: "sha256", hex: lfs.oid },
    oid,
    xetHash,
  };
}

function invalid(message: string): PlatformError {
  return new PlatformError("invalid_hub_answer", message);
}
