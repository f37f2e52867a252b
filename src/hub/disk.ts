/** Room on the disk, and what its failures are called. */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { PlatformError } from "../base/errors.ts";

/** Kept free: for records, links and what else the machine does meanwhile. */
const MARGIN_BYTES = 16 * 1024 * 1024;

/**
 * @param directory may not exist yet: then its nearest parent counts
 * @throws PlatformError `disk_full`
 */
export async function requireSpace(directory: string, neededBytes: number): Promise<void> {
  if (neededBytes === 0) return;
  const availableBytes = await spaceAt(directory);
  if (availableBytes === undefined || neededBytes + MARGIN_BYTES <= availableBytes) return;
  throw new PlatformError(
    "disk_full",
    `${showGigabytes(neededBytes)} are to be downloaded, and ${showGigabytes(availableBytes)} are free where ${directory} lies. Make room, or set HF_HUB_CACHE (for ModelScope: MODELSCOPE_CACHE) to a larger disk.`,
    { details: { neededBytes, availableBytes } },
  );
}

/** @returns bytes; `undefined` when the file system does not tell */
async function spaceAt(directory: string): Promise<number | undefined> {
  for (let at = directory; ; at = dirname(at)) {
    const info = await statfs(at).catch(() => undefined);
    if (info !== undefined) return info.blocks === 0 ? undefined : info.bavail * info.bsize;
    if (dirname(at) === at) return undefined;
  }
}

/** An error of the system at `path` → a sentence; anything else stays as it is. */
export function diskError(error: unknown, path: string): Error {
  if (error instanceof PlatformError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new PlatformError(
      "disk_full",
      `The disk is full at ${path}. Make room and run the same command again: what is downloaded stays.`,
      { cause: error },
    );
  }
  if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) {
    return new PlatformError(
      "cache_unusable",
      `The cache cannot be used at ${path} (${code}). See that it is yours to write, or set HF_HUB_CACHE (for ModelScope: MODELSCOPE_CACHE) to another directory.`,
      { cause: error },
    );
  }
  return error instanceof Error ? error : new Error(String(error));
}

function showGigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
