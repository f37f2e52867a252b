/**
 * Bring a revision of a repository into its cache: list, choose, make sure of the room, fetch what is
 * missing, verify, and only then say that it is whole.
 */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import pLimit from "p-limit";
import { PlatformError } from "../base/errors.ts";
import { lockFile } from "../posix/file-lock.ts";
import type { Listing, RepoCache } from "./caches/repo-cache.ts";
import { diskError, requireSpace } from "./disk.ts";
import { downloadFile } from "./download-file.ts";
import { removeFiles } from "./files.ts";
import { type HubLimits, MAX_FILES } from "./limits.ts";
import { checkPathsTogether, type RepoId, showRepo } from "./names.ts";
import { bytesLeftBefore, recordPath } from "./partial-file.ts";
import { type RetryNotice, retrying } from "./retry.ts";
import type { HubName } from "./settings.ts";
import type { FileDigest, HubSource, Licence, RemoteFile } from "./sources/source.ts";
import { chooseFiles, type Patterns } from "./wanted.ts";

export type PullOptions = Patterns & {
  readonly repo: RepoId;
  /** The hub's own default branch when absent. */
  readonly revision: string | undefined;
  /** Whether the digests of files that are there already are compared too. */
  readonly verify: boolean;
  readonly signal: AbortSignal;
  readonly onEvent: (event: PullEvent) => void;
  /** Named moments, for tests that end the process there. */
  readonly onStep?: ((step: string) => void) | undefined;
};

/** `hub-skipped` any number of times, `plan` once before the first byte of a file, then the rest in any order. */
export type PullEvent =
  | { readonly type: "hub-skipped"; readonly reason: string; readonly next: string }
  | ({ readonly type: "plan" } & PullPlan)
  | { readonly type: "file-progress"; readonly path: string; readonly doneBytes: number }
  | { readonly type: "file-verifying"; readonly path: string }
  | { readonly type: "file-ready"; readonly path: string }
  | { readonly type: "file-waiting"; readonly path: string }
  | ({ readonly type: "retry"; readonly path: string | undefined } & RetryNotice);

export type PullPlan = {
  readonly hub: HubName;
  readonly host: string;
  readonly repo: string;
  readonly commit: string;
  readonly licence: Licence | undefined;
  /** Where the files will be found by name. */
  readonly directory: string;
  readonly files: readonly PlannedFile[];
};

export type PlannedFile = {
  readonly path: string;
  readonly sizeBytes: number;
  /** There already, whole or as the start of a download. */
  readonly hereBytes: number;
};

export type Pulled = PullPlan & {
  /** Fetched now. */
  readonly receivedBytes: number;
};

/** What one pull works with. */
type Work = {
  readonly source: HubSource;
  readonly cache: RepoCache;
  readonly limits: HubLimits;
  readonly options: PullOptions;
  readonly onVerified: OnVerified;
};

/** @param path of the file by its own name, of which the checksum was found to be this */
type OnVerified = (path: string, digest: FileDigest) => Promise<void>;

/**
 * @throws PlatformError `model_not_found`, `gated_repository`, `hub_unauthorized`, `hub_unavailable`,
 *   `invalid_hub_answer`, `checksum_mismatch`, `unsafe_weights_format`, `disk_full`, `cache_unusable`
 */
export async function pull(
  source: HubSource,
  {
    openCache,
    limits,
    maxListAttempts = Math.min(4, limits.maxAttempts),
    options,
    onVerified,
  }: {
    readonly openCache: (listing: Listing) => RepoCache;
    readonly limits: HubLimits;
    /** Fewer where another hub can be asked instead. */
    readonly maxListAttempts?: number;
    readonly options: PullOptions;
    readonly onVerified: OnVerified;
  },
): Promise<Pulled> {
  const listing = await readListing(source, { ...limits, maxAttempts: maxListAttempts }, options);
  const cache = openCache(listing);
  const work: Work = { source, cache, limits, options, onVerified };
  try {
    await cache.begin();
    const missing = await findMissing(listing, work);
    const plan = describePlan(listing, missing, work);
    await requireSpace(
      cache.snapshotDirectory,
      missing.reduce((sum, { file, leftBytes }) => sum + file.sizeBytes - leftBytes, 0),
    );
    options.onEvent({ type: "plan", ...plan });
    await fetchMissing(listing, missing, work);
    await cache.finish();
    options.onStep?.("finished");
    const receivedBytes = plan.files.reduce(
      (sum, file) => sum + file.sizeBytes - file.hereBytes,
      0,
    );
    return { ...plan, receivedBytes };
  } catch (error) {
    options.signal.throwIfAborted();
    throw withHint(diskError(error, cache.snapshotDirectory));
  }
}

/** Whoever waited for hours wants to know that it was not for nothing. */
function withHint(error: Error): Error {
  if (!(error instanceof PlatformError) || error.code !== "hub_unavailable") return error;
  return new PlatformError(
    error.code,
    `${error.message} What is downloaded stays: the same command goes on from there.`,
    { cause: error },
  );
}

async function readListing(
  source: HubSource,
  limits: HubLimits,
  { repo, revision, include, exclude, signal, onEvent }: PullOptions,
): Promise<Listing> {
  const onRetry = (notice: RetryNotice): void =>
    onEvent({ type: "retry", path: undefined, ...notice });
  const retries = { limits, signal, onRetry };
  const resolved = await retrying(
    () => source.resolve(repo, revision ?? source.defaultRevision, signal),
    retries,
  );
  const all = await retrying(() => source.list(resolved, signal), retries);
  checkPathsTogether(all.map(({ path }) => path));
  if (all.length > MAX_FILES) {
    throw new PlatformError(
      "invalid_hub_answer",
      `${source.host} lists ${all.length} files in ${showRepo(repo)}; at most ${MAX_FILES} are taken.`,
    );
  }
  return { revision: resolved, all, wanted: chooseFiles(all, { include, exclude }, repo) };
}

type Missing = { readonly file: RemoteFile; readonly leftBytes: number };

async function findMissing({ wanted }: Listing, work: Work): Promise<Missing[]> {
  const { cache, options, onVerified } = work;
  const missing: Missing[] = [];
  for (const file of wanted) {
    options.signal.throwIfAborted();
    if (await cache.has(file, options)) {
      // Who was killed between giving a file its name and this left its record.
      await removeFiles(recordPath(cache.partialPath(file)));
      if (options.verify) await onVerified(placeOf(file, work), file.digest);
      continue;
    }
    missing.push({ file, leftBytes: await bytesLeftBefore(cache.partialPath(file), file) });
  }
  return missing;
}

function placeOf({ path }: RemoteFile, { cache }: Pick<Work, "cache">): string {
  return join(cache.snapshotDirectory, ...path.split("/"));
}

function describePlan(
  { revision, wanted }: Listing,
  missing: readonly Missing[],
  { source, cache }: Work,
): PullPlan {
  const left = new Map(missing.map(({ file, leftBytes }) => [file.path, leftBytes]));
  return {
    hub: source.hub,
    host: source.host,
    repo: showRepo(revision.repo),
    commit: revision.commit,
    licence: revision.licence,
    directory: cache.snapshotDirectory,
    files: wanted.map(({ path, sizeBytes }) => ({
      path,
      sizeBytes,
      hereBytes: left.get(path) ?? sizeBytes,
    })),
  };
}

async function fetchMissing(
  listing: Listing,
  missing: readonly Missing[],
  work: Work,
): Promise<void> {
  const { limits, options } = work;
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const connections = pLimit(limits.maxConnections);
  // One partial file has one writer, also where two paths have the same content.
  const groups = new Map<string, RemoteFile[]>();
  for (const { file } of missing) {
    const key = work.cache.partialPath(file);
    groups.set(key, [...(groups.get(key) ?? []), file]);
  }
  const files = pLimit(limits.maxConnections);
  const results = await Promise.allSettled(
    [...groups.values()].map((group) =>
      files(async () => {
        try {
          for (const file of group) {
            await ensureFile(file, listing, { ...work, connections, signal });
          }
        } catch (error) {
          failed.abort(error);
          throw error;
        }
      }),
    ),
  );
  options.signal.throwIfAborted();
  if (results.some(({ status }) => status === "rejected")) throw failed.signal.reason;
}

async function ensureFile(
  file: RemoteFile,
  { revision }: Listing,
  work: Work & { readonly connections: ReturnType<typeof pLimit>; readonly signal: AbortSignal },
): Promise<void> {
  const { source, cache, limits, options, onVerified, connections, signal } = work;
  const { path } = file;
  const { onEvent, onStep } = options;
  signal.throwIfAborted();
  const lockPath = cache.lockPath(file);
  await mkdir(dirname(lockPath), { recursive: true });
  await using _ = await lockFile(lockPath, {
    signal,
    onWait: () => onEvent({ type: "file-waiting", path }),
  });
  // Whoever held the lock may have brought it.
  if (!(await cache.has(file, { verify: options.verify, signal }))) {
    await downloadFile({
      file,
      partialPath: cache.partialPath(file),
      host: source.host,
      open: (range, aborting) => source.open(revision, file, range, aborting),
      connections,
      limits,
      signal,
      onProgress: (doneBytes) => onEvent({ type: "file-progress", path, doneBytes }),
      onVerify: () => onEvent({ type: "file-verifying", path }),
      onRetry: (notice) => onEvent({ type: "retry", path, ...notice }),
      onStep,
    });
    await cache.place(file);
    onStep?.("placed");
    await onVerified(placeOf(file, work), file.digest);
  }
  onEvent({ type: "file-ready", path });
}
