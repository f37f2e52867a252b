/**
 * The cache of ModelScope in the layout of its library's second version: real files in
 * `models/<owner>--<name>/snapshots/<revision>/`. The first version's layout is read, never written.
 *
 * A branch is a directory here, so a download replaces files in place. A list of ours beside it says
 * which files are the revision's: while a download is under way, not all of them are.
 *
 * Read in the library's source, not run against it: `modelscope_hub`, July 2026.
 */
import { mkdir, readFile, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { matchesDigest } from "../digest.ts";
import { fileSize, removeFiles, syncDirectory, writeWhole } from "../files.ts";
import type { RepoId } from "../names.ts";
import { recordPath } from "../partial-file.ts";
import type { FileDigest, RemoteFile } from "../sources/source.ts";
import { isNeeded } from "../wanted.ts";
import { partialEnding } from "./hugging-face-cache.ts";
import { missingFromIndex } from "./missing.ts";
import type { Listing, MissingFile, RepoCache, Snapshot } from "./repo-cache.ts";

const List = z.object({
  version: z.literal(1),
  /** Of every file of the revision. */
  files: z.record(
    z.string(),
    z.object({
      size_bytes: z.int().min(0),
      sha256: z.string(),
      /** Whether the file on the disk was verified to be this one. */
      is_here: z.boolean(),
    }),
  ),
});
type List = z.infer<typeof List>;

export class ModelScopeCache implements RepoCache {
  readonly snapshotDirectory: string;
  readonly #root: string;
  readonly #directory: string;
  readonly #listing: Listing;
  /** Of these paths the content on the disk is the listed one. */
  readonly #here = new Set<string>();

  constructor(root: string, listing: Listing) {
    const { repo, revision } = listing.revision;
    this.#root = root;
    this.#listing = listing;
    this.#directory = modelScopeDirectory(root, repo);
    this.snapshotDirectory = join(this.#directory, "snapshots", revision);
  }

  lockPath({ digest }: RemoteFile): string {
    const { owner, name } = this.#listing.revision.repo;
    return join(this.#root, ".lock", `${owner}--${name}`, `${digest.hex}.lock`);
  }

  partialPath({ digest, path }: RemoteFile): string {
    // Two paths with one content are fetched twice: each needs a file of its own here.
    const key = Buffer.from(path).toString("base64url").slice(-80);
    return join(this.#directory, "partial", `${digest.hex}-${key}${partialEnding}`);
  }

  async begin(): Promise<void> {
    await mkdir(this.snapshotDirectory, { recursive: true });
    await mkdir(join(this.#directory, "partial"), { recursive: true });
    const { owner, name } = this.#listing.revision.repo;
    await mkdir(join(this.#root, ".lock", `${owner}--${name}`), { recursive: true });
    const before = await readList(this.#listPath());
    for (const { path, digest } of this.#listing.all) {
      const known = before?.files[path];
      if (known?.is_here === true && known.sha256 === digest.hex) this.#here.add(path);
    }
    await this.#writeList();
  }

  async has(
    file: RemoteFile,
    { verify, signal }: { readonly verify: boolean; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const path = this.#finalPath(file);
    const { sizeBytes, digest } = file;
    const isThere =
      this.#here.has(file.path) && !verify
        ? (await fileSize(path)) === sizeBytes
        : await matchesDigest(path, { sizeBytes, digest, signal });
    if (isThere) this.#here.add(file.path);
    else this.#here.delete(file.path);
    return isThere;
  }

  async place(file: RemoteFile): Promise<void> {
    const final = this.#finalPath(file);
    const partial = this.partialPath(file);
    await mkdir(dirname(final), { recursive: true });
    await rename(partial, final);
    await syncDirectory(dirname(final));
    await removeFiles(recordPath(partial));
    this.#here.add(file.path);
  }

  async finish(): Promise<void> {
    await this.#writeList();
  }

  #finalPath({ path }: RemoteFile): string {
    return join(this.snapshotDirectory, ...path.split("/"));
  }

  #listPath(): string {
    return listPath(this.#directory, this.#listing.revision.revision);
  }

  async #writeList(): Promise<void> {
    const list: List = {
      version: 1,
      files: Object.fromEntries(
        this.#listing.all.map(({ path, sizeBytes, digest }) => [
          path,
          { size_bytes: sizeBytes, sha256: digest.hex, is_here: this.#here.has(path) },
        ]),
      ),
    };
    await writeWhole(this.#listPath(), JSON.stringify(list, undefined, 1));
  }
}

/** What the cache has of a repository, with nothing asked of the hub. */
export async function findInModelScopeCache(
  { cacheDirectory, olderDirectories }: ModelScopePlaces,
  repo: RepoId,
  revision: string,
): Promise<Snapshot | undefined> {
  const directory = modelScopeDirectory(cacheDirectory, repo);
  const snapshot = join(directory, "snapshots", revision);
  if (
    (await fileSize(join(snapshot, "config.json"))) !== undefined ||
    (await readList(listPath(directory, revision))) !== undefined
  ) {
    return {
      directory: snapshot,
      revision,
      missing: await missingInModelScope(directory, revision),
    };
  }
  for (const root of olderDirectories) {
    const older = firstVersionDirectory(root, repo);
    if ((await fileSize(join(older, "config.json"))) === undefined) continue;
    return { directory: older, revision, missing: await missingFromIndex(older) };
  }
  return undefined;
}

export type ModelScopePlaces = {
  readonly cacheDirectory: string;
  readonly olderDirectories: readonly string[];
};

export async function missingInModelScope(
  directory: string,
  revision: string,
): Promise<MissingFile[]> {
  const snapshot = join(directory, "snapshots", revision);
  const list = await readList(listPath(directory, revision));
  if (list === undefined) return await missingFromIndex(snapshot);
  const missing: MissingFile[] = [];
  for (const [path, { size_bytes: sizeBytes, is_here: isHere }] of Object.entries(list.files)) {
    if (!isNeeded(path)) continue;
    const isThere = isHere && (await fileSize(join(snapshot, path))) === sizeBytes;
    if (!isThere) missing.push({ path, sizeBytes });
  }
  return missing;
}

/**
 * The checksums in our list of a revision's files, by path.
 *
 * @returns `undefined` for a directory that is no snapshot of this cache, or one that another program filled
 */
export async function digestsInModelScope(
  snapshot: string,
): Promise<ReadonlyMap<string, FileDigest> | undefined> {
  if (repoInModelScope(snapshot) === undefined) return undefined;
  const list = await readList(listPath(dirname(dirname(snapshot)), basename(snapshot)));
  if (list === undefined) return undefined;
  return new Map(
    Object.entries(list.files).flatMap(([path, { sha256: hex, is_here: isHere }]) =>
      isHere ? [[path, { algorithm: "sha256", hex }]] : [],
    ),
  );
}

/** Whose snapshot a directory is; `undefined` for what is none of this cache. */
export function repoInModelScope(
  snapshot: string,
): { readonly repo: string; readonly revision: string } | undefined {
  const [, owner, name] = /^(.+?)--(.+)$/.exec(basename(dirname(dirname(snapshot)))) ?? [];
  const isSnapshot =
    basename(dirname(snapshot)) === "snapshots" &&
    basename(dirname(dirname(dirname(snapshot)))) === "models";
  if (!isSnapshot || owner === undefined) return undefined;
  return { repo: `${owner}/${name}`, revision: basename(snapshot) };
}

export function modelScopeDirectory(root: string, { owner, name }: RepoId): string {
  return join(root, "models", `${owner}--${name}`);
}

/** As the first version of the library names it. */
export function firstVersionDirectory(root: string, { owner, name }: RepoId): string {
  return join(root, "models", owner, name.replaceAll(".", "___"));
}

function listPath(directory: string, revision: string): string {
  return join(directory, "atalaya", `${revision}.json`);
}

async function readList(path: string): Promise<List | undefined> {
  try {
    return List.safeParse(JSON.parse(await readFile(path, "utf8"))).data;
  } catch {
    return undefined;
  }
}
