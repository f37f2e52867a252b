/** The contract between a download and the directory that a hub's own library keeps its files in. */
import type { RemoteFile, RemoteRevision } from "../sources/source.ts";

export type Listing = {
  readonly revision: RemoteRevision;
  /** Everything that the revision has. */
  readonly all: readonly RemoteFile[];
  /** What is downloaded of it. */
  readonly wanted: readonly RemoteFile[];
};

export interface RepoCache {
  /** Where the files will be found by their own names. */
  readonly snapshotDirectory: string;
  /** Held while a file is fetched. */
  lockPath(file: RemoteFile): string;
  /** Where a file grows until it is verified. On the same file system as its place. */
  partialPath(file: RemoteFile): string;
  /** Before the first file. */
  begin(): Promise<void>;
  /**
   * Whether the content is there, under its final name or another; it then is under the final one.
   *
   * @param verify also compares the digest
   */
  has(
    file: RemoteFile,
    options: { readonly verify: boolean; readonly signal: AbortSignal },
  ): Promise<boolean>;
  /** Give a verified partial file its final name. */
  place(file: RemoteFile): Promise<void>;
  /** After the last file: from now on the snapshot counts as whole. */
  finish(): Promise<void>;
}

/** What is on the disk of a repository. */
export type Snapshot = {
  readonly directory: string;
  /** A commit, or a branch where the hub has no commits. */
  readonly revision: string;
  /** What is known to be missing of what a checkpoint needs; empty when it can be loaded. */
  readonly missing: readonly MissingFile[];
};

export type MissingFile = { readonly path: string; readonly sizeBytes: number | undefined };
