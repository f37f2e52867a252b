/** What lies in the caches: listing it, finding one of it, removing it. Nothing is asked of a hub. */
import { lstat, readdir, readFile, readlink, realpath, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { tryLockFile } from "../posix/file-lock.ts";
import {
  findInHuggingFaceCache,
  missingIn,
  partialEnding,
  repoDirectory,
  repoFolder,
} from "./caches/hugging-face-cache.ts";
import { missingFromIndex } from "./caches/missing.ts";
import {
  findInModelScopeCache,
  firstVersionDirectory,
  missingInModelScope,
  modelScopeDirectory,
} from "./caches/model-scope-cache.ts";
import type { Snapshot } from "./caches/repo-cache.ts";
import { diskError } from "./disk.ts";
import { parseRepoId, type RepoId, showRepo } from "./names.ts";
import type { HubName, HubSettings } from "./settings.ts";

export type CachedModel = {
  readonly hub: HubName;
  /** `owner/name` */
  readonly repo: string;
  /** A commit, or a branch where the hub has no commits; `undefined` when only parts of files are there. */
  readonly revision: string | undefined;
  /** Branches and tags that stand for the revision. */
  readonly refs: readonly string[];
  readonly sizeBytes: number;
  /** Of parts of files, which a pull goes on with. */
  readonly partialBytes: number;
  readonly isWhole: boolean;
  readonly directory: string;
};

/** By repository, then by revision. */
export async function listCached(settings: HubSettings): Promise<CachedModel[]> {
  const found = await Promise.all([
    listHuggingFace(settings.huggingface.cacheDirectory),
    listModelScope(settings.modelscope.cacheDirectory),
    ...settings.modelscope.olderDirectories.map(listFirstVersion),
  ]);
  return found
    .flat()
    .toSorted((a, b) =>
      a.repo === b.repo ? compare(a.revision, b.revision) : compare(a.repo, b.repo),
    );
}

/**
 * A repository's files on this machine: Hugging Face's cache first, then ModelScope's. A whole one wins
 * over a partial one.
 *
 * @param revision each hub's own default branch when absent
 */
export async function findCached(
  settings: HubSettings,
  repo: RepoId,
  revision?: string,
): Promise<Snapshot | undefined> {
  const [huggingface, modelscope] = await Promise.all([
    findInHuggingFaceCache(settings.huggingface.cacheDirectory, repo, revision ?? "main"),
    findInModelScopeCache(settings.modelscope, repo, revision ?? "master"),
  ]);
  const found = [huggingface, modelscope].filter((snapshot) => snapshot !== undefined);
  return found.find(({ missing }) => missing.length === 0) ?? found[0];
}

export type Removal = {
  readonly models: readonly CachedModel[];
  readonly sizeBytes: number;
  /** @throws PlatformError `cache_unusable` */
  readonly remove: () => Promise<void>;
};

/**
 * What removing a repository, or one revision of it, would take away; and the deed itself.
 *
 * @throws PlatformError `model_not_found` when there is nothing; `model_not_ready` while it is being downloaded
 */
export async function planRemoval(
  settings: HubSettings,
  repo: RepoId,
  {
    hub,
    revision,
    onRemoved,
  }: {
    readonly hub: HubName | undefined;
    readonly revision: string | undefined;
    /** Told which files, by their real paths, are gone. */
    readonly onRemoved: (paths: readonly string[]) => Promise<void>;
  },
): Promise<Removal> {
  const models = (await listCached(settings)).filter(
    (model) =>
      model.repo === showRepo(repo) &&
      (hub === undefined || model.hub === hub) &&
      (revision === undefined || model.revision === revision || model.refs.includes(revision)),
  );
  if (models.length === 0) {
    const of =
      revision === undefined ? showRepo(repo) : `revision ${revision} of ${showRepo(repo)}`;
    throw new PlatformError(
      "model_not_found",
      `Nothing of ${of} is in the caches. See atalaya cached.`,
    );
  }
  await refuseWhileDownloading(settings, repo);
  const targets = await Promise.all(
    models.map((model) =>
      model.hub === "huggingface"
        ? targetsOfHuggingFace(settings.huggingface.cacheDirectory, repo, model, revision)
        : targetsOfModelScope(settings, repo, model, revision),
    ),
  );
  const paths = [...new Set(targets.flat())];
  const sizes = await Promise.all(paths.map(sizeOf));
  return {
    models,
    sizeBytes: sizes.reduce((sum, size) => sum + size, 0),
    remove: async () => {
      const files = (await Promise.all(paths.map(filesBelow))).flat();
      for (const path of paths) {
        await rm(path, { recursive: true, force: true }).catch((error: unknown) => {
          throw diskError(error, path);
        });
      }
      await onRemoved(files);
    },
  };
}

/** Real paths of the files in a directory, or of the file that it is. */
async function filesBelow(path: string): Promise<string[]> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return [];
  const entries = await readdir(real, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  return entries.length === 0
    ? [real]
    : files.map(({ parentPath, name }) => join(parentPath, name));
}

async function listHuggingFace(root: string): Promise<CachedModel[]> {
  const models: CachedModel[] = [];
  for (const folder of await namesIn(root)) {
    const [, owner, name] = /^models--(.+?)--(.+)$/.exec(folder) ?? [];
    const repo = parseRepoId(`${owner}/${name}`);
    if (repo === undefined) continue;
    const directory = repoDirectory(root, repo);
    const partialBytes = await sumOf(await partialsIn(join(directory, "blobs")));
    const refs = await readRefs(join(directory, "refs"));
    const commits = (await namesIn(join(directory, "snapshots"))).filter(isCommit);
    const common = { hub: "huggingface" as const, repo: showRepo(repo), partialBytes };
    for (const commit of commits) {
      const snapshot = join(directory, "snapshots", commit);
      const sizeBytes = await sumOf(await contentsOf(snapshot));
      if (sizeBytes === 0 && partialBytes === 0) continue;
      models.push({
        ...common,
        revision: commit,
        refs: refs.filter((ref) => ref.commit === commit).map((ref) => ref.name),
        sizeBytes,
        isWhole: (await missingIn(directory, commit)).length === 0,
        directory: snapshot,
      });
    }
    if (commits.length === 0 && partialBytes > 0) {
      models.push({
        ...common,
        revision: undefined,
        refs: [],
        sizeBytes: 0,
        isWhole: false,
        directory,
      });
    }
  }
  return models;
}

async function listModelScope(root: string): Promise<CachedModel[]> {
  const models: CachedModel[] = [];
  for (const folder of await namesIn(join(root, "models"))) {
    const [, owner, name] = /^(.+?)--(.+)$/.exec(folder) ?? [];
    const repo = parseRepoId(`${owner}/${name}`);
    if (repo === undefined) continue;
    const directory = modelScopeDirectory(root, repo);
    const partialBytes = await sumOf(await partialsIn(join(directory, "partial")));
    for (const revision of await namesIn(join(directory, "snapshots"))) {
      const snapshot = join(directory, "snapshots", revision);
      models.push({
        hub: "modelscope",
        repo: showRepo(repo),
        revision,
        refs: [],
        partialBytes,
        sizeBytes: await sumOf(await contentsOf(snapshot)),
        isWhole: (await missingInModelScope(directory, revision)).length === 0,
        directory: snapshot,
      });
    }
  }
  return models;
}

async function listFirstVersion(root: string): Promise<CachedModel[]> {
  const models: CachedModel[] = [];
  for (const owner of await namesIn(join(root, "models"))) {
    if (owner.includes("--")) continue;
    for (const folder of await namesIn(join(root, "models", owner))) {
      const repo = parseRepoId(`${owner}/${folder.replaceAll("___", ".")}`);
      const directory = join(root, "models", owner, folder);
      if (repo === undefined || !(await namesIn(directory)).includes("config.json")) continue;
      models.push({
        hub: "modelscope",
        repo: showRepo(repo),
        revision: "master",
        refs: [],
        partialBytes: 0,
        sizeBytes: await sumOf(await contentsOf(directory)),
        isWhole: (await missingFromIndex(directory)).length === 0,
        directory,
      });
    }
  }
  return models;
}

async function targetsOfHuggingFace(
  root: string,
  repo: RepoId,
  model: CachedModel,
  revision: string | undefined,
): Promise<string[]> {
  const directory = repoDirectory(root, repo);
  const commits = (await namesIn(join(directory, "snapshots"))).filter(isCommit);
  const isLast = commits.every((commit) => commit === model.revision);
  if (revision === undefined || isLast) return [directory, join(root, ".locks", repoFolder(repo))];
  const others = commits.filter((commit) => commit !== model.revision);
  const kept = new Set(
    (
      await Promise.all(others.map((commit) => contentsOf(join(directory, "snapshots", commit))))
    ).flat(),
  );
  const contents = await contentsOf(model.directory);
  return [
    ...model.refs.map((ref) => join(directory, "refs", ...ref.split("/"))),
    join(directory, "trees", `${model.revision}.json`),
    model.directory,
    ...contents.filter((path) => dirname(path) === join(directory, "blobs") && !kept.has(path)),
  ];
}

async function targetsOfModelScope(
  { modelscope }: HubSettings,
  repo: RepoId,
  model: CachedModel,
  revision: string | undefined,
): Promise<string[]> {
  const directory = modelScopeDirectory(modelscope.cacheDirectory, repo);
  const isFirstVersion = modelscope.olderDirectories.some(
    (root) => firstVersionDirectory(root, repo) === model.directory,
  );
  if (isFirstVersion) return [model.directory];
  const revisions = await namesIn(join(directory, "snapshots"));
  if (revision === undefined || revisions.length === 1) return [directory];
  return [model.directory, join(directory, "atalaya", `${model.revision}.json`)];
}

async function refuseWhileDownloading(settings: HubSettings, repo: RepoId): Promise<void> {
  const { owner, name } = repo;
  const places = [
    join(settings.huggingface.cacheDirectory, ".locks", repoFolder(repo)),
    join(settings.modelscope.cacheDirectory, ".lock", `${owner}--${name}`),
  ];
  for (const place of places) {
    for (const file of await namesIn(place)) {
      const lock = await tryLockFile(join(place, file)).catch((error: unknown) => {
        throw diskError(error, join(place, file));
      });
      if (lock === undefined) {
        throw new PlatformError(
          "model_not_ready",
          `${showRepo(repo)} is being downloaded by another program. Stop that first.`,
        );
      }
      await lock[Symbol.asyncDispose]();
    }
  }
}

async function readRefs(directory: string): Promise<{ name: string; commit: string }[]> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  const refs = await Promise.all(
    names.map(async (name) => ({
      name: name.replaceAll("\\", "/"),
      commit: (await readFile(join(directory, name), "utf8").catch(() => "")).trim(),
    })),
  );
  return refs.filter(({ commit }) => isCommit(commit));
}

/** Where the content of each file below `directory` lies: behind its link, or at its own place. */
async function contentsOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  const paths = await Promise.all(
    entries
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return entry.isFile() ? path : resolve(entry.parentPath, await readlink(path));
      }),
  );
  return [...new Set(paths)];
}

async function partialsIn(directory: string): Promise<string[]> {
  const names = await namesIn(directory);
  return names.filter((name) => name.endsWith(partialEnding)).map((name) => join(directory, name));
}

/** A sparse file counts with what it takes on the disk. */
async function sumOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    paths.map(async (path) => {
      const info = await lstat(path).catch(() => undefined);
      if (info === undefined) return 0;
      return path.endsWith(partialEnding) ? Math.min(info.size, info.blocks * 512) : info.size;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function sizeOf(path: string): Promise<number> {
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return 0;
  if (!info.isDirectory()) return info.isFile() ? info.size : 0;
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return await sumOf(
    entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
  );
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}

const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(basename(text));

function compare(a: string | undefined, b: string | undefined): number {
  return (a ?? "").localeCompare(b ?? "", "en");
}
