/**
 * The cache of Hugging Face, byte for byte as its Python library keeps it: contents under their digests
 * in `blobs/`, links to them in `snapshots/<commit>/`, branches in `refs/`, and lists in `trees/`.
 *
 * The list tells a whole snapshot from a partial one. It and the branch are written last.
 *
 * @see huggingface_hub 2.0.0, `file_download.py`, `_snapshot_download.py`, `_tree_cache.py`
 */
import { link, lstat, mkdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { matchesDigest } from "../digest.ts";
import { fileSize, removeFiles, syncDirectory, writeWhole } from "../files.ts";
import type { RepoId } from "../names.ts";
import { recordPath } from "../partial-file.ts";
import type { RemoteFile } from "../sources/source.ts";
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
