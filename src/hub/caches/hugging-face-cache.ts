/**
 * The cache of Hugging Face, byte for byte as its Python library keeps it: contents under their digests
 * in `blobs/`, links to them in `snapshots/<commit>/`, branches in `refs/`, and lists in `trees/`.
 *
 * The list tells a whole snapshot from a partial one. It and the branch are written last.
 *
 * @see huggingface_hub 2.0.0, `file_download.py`, `_snapshot_download.py`, `_tree_cache.py`
 */
import { link, lstat, mkdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { z } from "zod";
import { matchesDigest } from "../digest.ts";
import { fileSize, removeFiles, syncDirectory, writeWhole } from "../files.ts";
import type { RepoId } from "../names.ts";
import { recordPath } from "../partial-file.ts";
import type { FileDigest, RemoteFile } from "../sources/source.ts";
import { isNeeded } from "../wanted.ts";
import { missingFromIndex } from "./missing.ts";
import type { Listing, MissingFile, RepoCache, Snapshot } from "./repo-cache.ts";

/** The end of a partial file of ours; Python's tools know `.incomplete` and may prune it. */
export const partialEnding = ".atalaya.incomplete";

/** So that backup programs pass over the cache. @see https://bford.info/cachedir */
const cacheDirectoryTag = `Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by huggingface_hub.
# For information about cache directory tags, see:
#\thttps://bford.info/cachedir/
`;

const Tree = z.object({
  format_version: z.literal(1),
  files: z.record(
    z.string(),
    z.object({
      size: z.int().min(0),
      blob_id: z.string(),
      lfs_sha256: z.string().nullish(),
      lfs_size: z.int().nullish(),
    }),
  ),
});

export class HuggingFaceCache implements RepoCache {
  readonly snapshotDirectory: string;
  readonly #root: string;
  readonly #directory: string;
  readonly #listing: Listing;

  constructor(root: string, listing: Listing) {
    this.#root = root;
    this.#listing = listing;
    this.#directory = repoDirectory(root, listing.revision.repo);
    this.snapshotDirectory = join(this.#directory, "snapshots", listing.revision.commit);
  }

  lockPath({ digest }: RemoteFile): string {
    const { repo } = this.#listing.revision;
    return join(this.#root, ".locks", repoFolder(repo), `${digest.hex}.lock`);
  }

  partialPath(file: RemoteFile): string {
    return `${this.#blobPath(file)}${partialEnding}`;
  }

  async begin(): Promise<void> {
    // Of the revision's own directory nothing before its first file: an empty one looks whole to Python.
    for (const name of ["blobs", "refs", "snapshots"]) {
      await mkdir(join(this.#directory, name), { recursive: true });
    }
    const tag = join(this.#root, "CACHEDIR.TAG");
    if ((await fileSize(tag)) === undefined) await writeWhole(tag, cacheDirectoryTag);
  }

  async has(
    file: RemoteFile,
    { verify, signal }: { readonly verify: boolean; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const blob = this.#blobPath(file);
    const { sizeBytes, digest } = file;
    const isThere = verify
      ? await matchesDigest(blob, { sizeBytes, digest, signal })
      : (await fileSize(blob)) === sizeBytes;
    if (isThere) {
      await this.#link(file);
      return true;
    }
    // Where links cannot be made, Python keeps the content in the snapshot itself.
    const pointer = this.#pointerPath(file);
    const info = await lstat(pointer).catch(() => undefined);
    if (info?.isFile() !== true || info.size !== sizeBytes) return false;
    return !verify || (await matchesDigest(pointer, { sizeBytes, digest, signal }));
  }

  async place(file: RemoteFile): Promise<void> {
    const blob = this.#blobPath(file);
    const partial = this.partialPath(file);
    await rename(partial, blob);
    await syncDirectory(dirname(blob));
    await removeFiles(recordPath(partial));
    await this.#link(file);
  }

  async finish(): Promise<void> {
    const { all, revision } = this.#listing;
    const files = Object.fromEntries(
      all
        .toSorted((a, b) => (a.path < b.path ? -1 : 1))
        .map((file) => [file.path, toTreeEntry(file)]),
    );
    await writeWhole(
      join(this.#directory, "trees", `${revision.commit}.json`),
      JSON.stringify({ format_version: 1, files }, undefined, 1),
    );
    if (revision.revision !== revision.commit) {
      await writeWhole(join(this.#directory, "refs", revision.revision), revision.commit);
    }
  }

  #blobPath({ digest }: RemoteFile): string {
    return join(this.#directory, "blobs", digest.hex);
  }

  #pointerPath({ path }: RemoteFile): string {
    return join(this.snapshotDirectory, ...path.split("/"));
  }

  async #link(file: RemoteFile): Promise<void> {
    const blob = this.#blobPath(file);
    const pointer = this.#pointerPath(file);
    const target = relative(dirname(pointer), blob);
    if ((await readlink(pointer).catch(() => undefined)) === target) return;
    await mkdir(dirname(pointer), { recursive: true });
    await rm(pointer, { force: true });
    await symlink(target, pointer, "file").catch(async (error: NodeJS.ErrnoException) => {
      // Another process was faster, or Windows lets only administrators make links.
      if (error.code === "EEXIST") return;
      if (error.code !== "EPERM" && error.code !== "ENOSYS") throw error;
      await link(blob, pointer);
    });
  }
}

/** What the cache has of a repository, with nothing asked of the hub. `undefined` when it has nothing of it. */
export async function findInHuggingFaceCache(
  root: string,
  repo: RepoId,
  revision: string,
): Promise<Snapshot | undefined> {
  const directory = repoDirectory(root, repo);
  const named = await readFile(join(directory, "refs", ...revision.split("/")), "utf8").catch(
    () => undefined,
  );
  const commit = named?.trim() ?? revision;
  if (!/^[0-9a-f]{40}$/.test(commit)) return undefined;
  const snapshot = join(directory, "snapshots", commit);
  const info = await lstat(snapshot).catch(() => undefined);
  if (info?.isDirectory() !== true) return undefined;
  return { directory: snapshot, revision: commit, missing: await missingIn(directory, commit) };
}

/** By the list of the revision's files where there is one, else by what the weights' index names. */
export async function missingIn(directory: string, commit: string): Promise<MissingFile[]> {
  const snapshot = join(directory, "snapshots", commit);
  const text = await readFile(join(directory, "trees", `${commit}.json`), "utf8").catch(() => "");
  const tree = parseTree(text);
  if (tree === undefined) return await missingFromIndex(snapshot);
  const missing: MissingFile[] = [];
  for (const [path, { size, lfs_size: lfsSize }] of Object.entries(tree.files)) {
    const sizeBytes = lfsSize ?? size;
    if (!isNeeded(path) || (await fileSize(join(snapshot, path))) === sizeBytes) continue;
    missing.push({ path, sizeBytes });
  }
  return missing;
}

/**
 * The checksums that the list of a revision's files has, by path.
 *
 * @returns `undefined` for a directory that is no snapshot of this cache, or has no list
 */
export async function digestsOfSnapshot(
  snapshot: string,
): Promise<ReadonlyMap<string, FileDigest> | undefined> {
  const commit = basename(snapshot);
  const directory = dirname(dirname(snapshot));
  if (!isSnapshot(snapshot)) return undefined;
  const text = await readFile(join(directory, "trees", `${commit}.json`), "utf8").catch(() => "");
  const files = parseTree(text)?.files;
  if (files === undefined) return undefined;
  return new Map(
    Object.entries(files).map(([path, { blob_id: oid, lfs_sha256: sha256 }]) => [
      path,
      sha256 == null
        ? { algorithm: oid.length === 64 ? "sha256" : "git-sha1", hex: oid }
        : { algorithm: "sha256", hex: sha256 },
    ]),
  );
}

/** Whose snapshot a directory is: the repository, and the commit if its `main` is at another; else `undefined`. */
export async function repoOfSnapshot(
  snapshot: string,
): Promise<{ readonly repo: string; readonly revision: string | undefined } | undefined> {
  if (!isSnapshot(snapshot)) return undefined;
  const directory = dirname(dirname(snapshot));
  const [, owner, name] = /^models--(.+?)--(.+)$/.exec(basename(directory)) ?? [];
  const commit = basename(snapshot);
  const main = await readFile(join(directory, "refs", "main"), "utf8").catch(() => "");
  return {
    repo: `${owner}/${name}`,
    revision: main.trim() === commit ? undefined : commit,
  };
}

function isSnapshot(directory: string): boolean {
  return (
    /^[0-9a-f]{40}$/.test(basename(directory)) &&
    basename(dirname(directory)) === "snapshots" &&
    /^models--.+?--.+$/.test(basename(dirname(dirname(directory))))
  );
}

export function repoFolder({ owner, name }: RepoId): string {
  return `models--${owner}--${name}`;
}

export function repoDirectory(root: string, repo: RepoId): string {
  return join(root, repoFolder(repo));
}

function toTreeEntry({ sizeBytes, digest, oid, xetHash }: RemoteFile): Record<string, unknown> {
  return {
    size: sizeBytes,
    blob_id: oid ?? digest.hex,
    ...(digest.algorithm === "sha256" ? { lfs_sha256: digest.hex, lfs_size: sizeBytes } : {}),
    ...(xetHash === undefined ? {} : { xet_hash: xetHash }),
  };
}

function parseTree(text: string): z.infer<typeof Tree> | undefined {
  try {
    return Tree.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
