/** A directory of a cache against the checksums under which its files are kept. Nothing is asked of a hub. */
import { open, readdir, readlink } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { digestsOfSnapshot } from "./caches/hugging-face-cache.ts";
import { digestsInModelScope } from "./caches/model-scope-cache.ts";
import { digestOf } from "./digest.ts";
import type { FileDigest } from "./sources/source.ts";
import type { VerifiedFiles } from "./verified-files.ts";
import { isNeeded } from "./wanted.ts";

export type Verification = {
  /** Files that are what they should be; those of an earlier time count. */
  readonly numSound: number;
  readonly sizeBytes: number;
  /** Of which no checksum was kept, so that nothing can be said of them. */
  readonly unknown: readonly string[];
  readonly damaged: readonly DamagedFile[];
};

export type DamagedFile = {
  /** Inside the directory, `/` between its parts. */
  readonly path: string;
  /** `… has the SHA-256 1234…, and was stored as 5678…` */
  readonly problem: string;
};

export type VerifyOptions = {
  /** What is known from earlier times; what is found out now is added. */
  readonly verified: VerifiedFiles;
  /** All files, also those that a checkpoint does without; and all are read again. */
  readonly isThorough: boolean;
  readonly signal: AbortSignal;
  /** Told only when something has to be read. */
  readonly onProgress: (progress: {
    readonly fraction: number;
    readonly totalBytes: number;
  }) => void;
};

type Checkable = { readonly path: string; readonly digest: FileDigest };

/** @throws the signal's reason; else whatever is wrong is in the result */
export async function verifyDirectory(
  directory: string,
  { verified, isThorough, signal, onProgress }: VerifyOptions,
): Promise<Verification> {
  const all = await pathsIn(directory, { recursive: isThorough });
  const paths = all.filter((path) => isThorough || isRead(path));
  const digests = await digestsOf(directory, paths);
  const files: Checkable[] = paths.flatMap((path) => {
    const digest = digests.get(path);
    return digest === undefined ? [] : [{ path, digest }];
  });
  const isKnown = await Promise.all(
    files.map(
      async ({ path, digest }) =>
        !isThorough && (await verified.has(join(directory, path), digest)),
    ),
  );
  const unread = files.filter((_, index) => isKnown[index] !== true);
  const { damaged, sizeBytes } = await readAll(directory, unread, { verified, signal, onProgress });
  return {
    numSound: files.length - damaged.length,
    sizeBytes,
    unknown: paths.filter((path) => !digests.has(path)),
    damaged,
  };
}

/** What a launch reads of a directory. */
const isRead = (path: string): boolean => isNeeded(path) || /^[^/]+\.gguf$/i.test(path);

async function readAll(
  directory: string,
  files: readonly Checkable[],
  { verified, signal, onProgress }: Pick<VerifyOptions, "verified" | "signal" | "onProgress">,
): Promise<{ readonly damaged: readonly DamagedFile[]; readonly sizeBytes: number }> {
  const sizes = await Promise.all(files.map(({ path }) => sizeOf(join(directory, path))));
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
  const damaged: DamagedFile[] = [];
  let doneBytes = 0;
  const onBytes = (numBytes: number): void => {
    doneBytes += numBytes;
    onProgress({ fraction: totalBytes === 0 ? 1 : doneBytes / totalBytes, totalBytes });
  };
  for (const { path, digest } of files) {
    signal.throwIfAborted();
    const problem = await problemOf(join(directory, path), digest, { signal, onBytes });
    if (problem === undefined) await verified.remember(join(directory, path), digest);
    else damaged.push({ path, problem });
  }
  return { damaged, sizeBytes: totalBytes };
}

async function problemOf(
  path: string,
  { algorithm, hex }: FileDigest,
  { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes: (n: number) => void },
): Promise<string | undefined> {
  try {
    const file = await open(path, "r");
    await using _ = { [Symbol.asyncDispose]: () => file.close() };
    const { size } = await file.stat();
    const chunks = file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 });
    async function* counted(): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of chunks) {
        onBytes(chunk.byteLength);
        yield chunk;
      }
    }
    const found = await digestOf(counted(), { algorithm, sizeBytes: size, signal });
    if (found === hex) return undefined;
    const name = algorithm === "sha256" ? "SHA-256" : "git SHA-1";
    return `has the ${name} ${found.slice(0, 12)}…, and was stored as ${hex.slice(0, 12)}…`;
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code === "ENOENT") return "is missing";
    return `cannot be read (${code})`;
  }
}

/** By path; those of which no checksum is kept are not in it. */
async function digestsOf(
  directory: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, FileDigest>> {
  const kept =
    (await digestsOfSnapshot(directory)) ?? (await digestsInModelScope(directory)) ?? new Map();
  const digests = new Map<string, FileDigest>(kept);
  for (const path of paths) {
    if (digests.has(path)) continue;
    const digest = await digestInName(join(directory, path));
    if (digest !== undefined) digests.set(path, digest);
  }
  return digests;
}

/** A link to a file that is named after its own content, as in both caches of blobs. */
async function digestInName(path: string): Promise<FileDigest | undefined> {
  const target = await readlink(path).catch(() => undefined);
  if (target === undefined) return undefined;
  const name = basename(target);
  const [, sha256] = /^(?:sha256-)?([0-9a-f]{64})$/.exec(name) ?? [];
  if (sha256 !== undefined) return { algorithm: "sha256", hex: sha256 };
  return /^[0-9a-f]{40}$/.test(name) ? { algorithm: "git-sha1", hex: name } : undefined;
}

async function pathsIn(directory: string, how: { readonly recursive: boolean }): Promise<string[]> {
  const entries = await readdir(directory, { ...how, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .map((path) => path.replaceAll(sep, "/"))
    .toSorted();
}

async function sizeOf(path: string): Promise<number> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return 0;
  await using _ = { [Symbol.asyncDispose]: () => file.close() };
  return (await file.stat()).size;
}
