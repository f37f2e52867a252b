/** The contract that every hub keeps: name a revision, list its files, open a file at a byte. */
import type { HubAnswer } from "../http.ts";
import type { RepoId } from "../names.ts";
import type { HubName } from "../settings.ts";

export type RemoteFile = {
  /** Checked: relative, inside the repository, `/` between its parts. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: FileDigest;
  /** What the hub keeps about it beside, for the caches that record it. */
  readonly oid?: string | undefined;
  readonly xetHash?: string | undefined;
};

/** `git-sha1` is over git's header and the content, as git names its blobs. */
export type FileDigest = {
  readonly algorithm: "sha256" | "git-sha1";
  /** Lower case. */
  readonly hex: string;
};

export type RemoteRevision = {
  readonly repo: RepoId;
  /** As asked for: a branch, a tag or a commit. */
  readonly revision: string;
  /** What it stands for now; the revision itself where the hub has no commits. */
  readonly commit: string;
  readonly licence: Licence | undefined;
};

export type Licence = {
  /** As the repository names it, such as `llama3.2`. */
  readonly name: string;
  /** Where it can be read. */
  readonly link: string;
  /** What of it surprises people. */
  readonly note?: string | undefined;
};

export type ByteRange = { readonly start: number; readonly end: number };

export interface HubSource extends AsyncDisposable {
  readonly hub: HubName;
  /** As a person knows it, such as `huggingface.co`. */
  readonly host: string;
  readonly defaultRevision: string;
  /** Where a person reads about a repository. */
  pageOf(repo: RepoId): string;
  /**
   * @throws PlatformError `model_not_found`, `gated_repository`, `hub_unauthorized`, `invalid_hub_answer`
   * @throws TransferError
   */
  resolve(repo: RepoId, revision: string, signal: AbortSignal): Promise<RemoteRevision>;
  /** @throws as `resolve` */
  list(revision: RemoteRevision, signal: AbortSignal): Promise<readonly RemoteFile[]>;
  /**
   * A successful answer (200 or 206) whose body brings the file, or its range, not yet checked.
   *
   * @param range bytes from `start` up to, not including, `end`; the whole file when absent
   * @throws as `resolve`
   */
  open(
    revision: RemoteRevision,
    file: RemoteFile,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<HubAnswer>;
}
