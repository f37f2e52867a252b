/**
 * ModelScope over its HTTP API. It has no commits that can be asked for: what is downloaded is what its
 * list of files says by SHA-256, and a branch that moves meanwhile shows as a wrong sum.
 *
 * Read in its SDK, not run against it: `modelscope_hub`, July 2026.
 */
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { type FailedAnswer, type HubAnswer, type HubHttp, isTemporary } from "../http.ts";
import { licenceNote } from "../licence-note.ts";
import { MAX_FILE_BYTES, MAX_FILES } from "../limits.ts";
import { checkFilePath, type RepoId, shown, showRepo } from "../names.ts";
import type { HubToken } from "../settings.ts";
import { TransferError } from "../transfer-error.ts";
import type { ByteRange, HubSource, RemoteFile, RemoteRevision } from "./source.ts";

/** Failures come with status 200 as well; then `Code` says more. */
const Envelope = z.object({
  Code: z.int(),
  Message: z.string().nullish().catch(undefined),
  Data: z.unknown().optional(),
});

const Model = z.object({ License: z.string().max(200).nullish().catch(undefined) }).nullish();

const Files = z.object({
  Files: z
    .array(
      z.object({
        Path: z.string(),
        Type: z.string(),
        Size: z.int().min(0).max(MAX_FILE_BYTES).catch(-1),
        Sha256: z.string().nullish(),
      }),
    )
    .max(MAX_FILES)
    .nullable(),
});

export class ModelScopeSource implements HubSource {
  readonly hub = "modelscope";
  readonly defaultRevision = "master";
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
    return `${this.#endpoint}/models/${showRepo(repo)}`;
  }

  async resolve(repo: RepoId, revision: string, signal: AbortSignal): Promise<RemoteRevision> {
    const model = await this.#ask(`/api/v1/models/${showRepo(repo)}`, Model, repo, signal);
    const licence =
      model?.License == null || model.License === ""
        ? undefined
        : {
            name: shown(model.License),
            link: this.pageOf(repo),
            note: licenceNote(model.License),
          };
    return { repo, revision, commit: revision, licence };
  }

  async list(
    { repo, revision }: RemoteRevision,
    signal: AbortSignal,
  ): Promise<readonly RemoteFile[]> {
    const query = new URLSearchParams({ Revision: revision, Recursive: "True" });
    const path = `/api/v1/models/${showRepo(repo)}/repo/files?${query}`;
    const { Files: entries } = await this.#ask(path, Files, repo, signal);
    if (entries === null) {
      throw new PlatformError(
        "model_not_found",
        `${showRepo(repo)} has no files at revision ${shown(revision)} on ${this.host}. See ${this.pageOf(repo)}.`,
      );
    }
    return entries.filter(({ Type }) => Type === "blob").map((entry) => this.#toRemoteFile(entry));
  }

  async open(
    { repo, revision }: RemoteRevision,
    file: RemoteFile,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<HubAnswer> {
    const query = new URLSearchParams({ Revision: revision, FilePath: file.path });
    const headers = range === undefined ? {} : { range: `bytes=${range.start}-${range.end - 1}` };
    const answer = await this.#http.get(
      `${this.#endpoint}/api/v1/models/${showRepo(repo)}/repo?${query}`,
      { headers, signal },
    );
    if (answer.status === 200 || answer.status === 206) return answer;
    throw this.#explain(await this.#http.readFailure(answer), repo);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  async #ask<Value>(
    path: string,
    schema: z.ZodType<Value>,
    repo: RepoId,
    signal: AbortSignal,
  ): Promise<Value> {
    const { value } = await this.#http.getJson(`${this.#endpoint}${path}`, {
      schema: Envelope,
      explain: (answer) => this.#explain(answer, repo),
      signal,
    });
    if (value.Code !== 200) {
      const message = value.Message == null ? undefined : shown(value.Message);
      throw this.#explain(
        {
          status: value.Code,
          message,
          errorCode: undefined,
          isFromHub: true,
          retryAfterMs: undefined,
          hops: [],
        },
        repo,
      );
    }
    const data = schema.safeParse(value.Data);
    if (data.success) return data.data;
    const [issue] = data.error.issues;
    throw invalid(
      `${this.host} answers with something that cannot be understood (Data.${issue?.path.join(".")}: ${shown(issue?.message ?? "")}).`,
    );
  }

  #toRemoteFile(entry: NonNullable<z.infer<typeof Files>["Files"]>[number]): RemoteFile {
    const path = checkFilePath(entry.Path);
    const hex = entry.Sha256?.toLowerCase() ?? "";
    if (!/^[0-9a-f]{64}$/.test(hex) || entry.Size < 0) {
      throw invalid(
        `${this.host} gives no SHA-256 or no size for ${shown(path)}, so it could not be told from another file. Nothing was downloaded.`,
      );
    }
    return { path, sizeBytes: entry.Size, digest: { algorithm: "sha256", hex } };
  }

  #explain({ status, message, isFromHub, retryAfterMs }: FailedAnswer, repo: RepoId): Error {
    const name = showRepo(repo);
    if (isTemporary(status) || !isFromHub || status === 416) {
      const reason = status === 429 ? "is asked too often" : `answers with status ${status}`;
      return new TransferError(`${this.host} ${reason}`, {
        retryAfterMs,
        restartsFile: status === 416,
      });
    }
    if (status === 404) {
      return new PlatformError("model_not_found", `${this.host} has no model ${name}.`);
    }
    if (status === 401 || status === 403) {
      const todo =
        this.#token === undefined
          ? "set MODELSCOPE_API_TOKEN to a token of yours"
          : `see that the account of the token from ${this.#token.source} may`;
      return new PlatformError(
        "hub_unauthorized",
        `${this.host} does not let you have ${name}${message === undefined ? "" : ` (${message})`}: ${todo}, and see ${this.pageOf(repo)}.`,
      );
    }
    return invalid(
      `${this.host} answers with status ${status} for ${name}${message === undefined ? "" : `: ${message}`}.`,
    );
  }
}

function invalid(message: string): PlatformError {
  return new PlatformError("invalid_hub_answer", message);
}
