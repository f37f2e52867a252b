/** Opening and reading files that somebody else wrote. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { shown } from "./shown.ts";

/** Node reads at most 2³¹ − 1 bytes a call. */
const READ_CHUNK_BYTES = 2 ** 30;

/**
 * Open a file for reading. Links are followed, as hub caches are made of them; what they end in must
 * be a file: a pipe or a device could keep its reader waiting for ever.
 *
 * @throws PlatformError `corrupt_model_file`
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  // Windows has no such flag, and no pipes that lie in a directory.
  const withoutWaiting = constants.O_NONBLOCK ?? 0;
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | withoutWaiting);
  } catch (cause) {
    throw unreadable(path, `it cannot be opened (${systemCode(cause)})`, cause);
  }
  try {
    if ((await file.stat()).isFile()) return file;
  } catch (cause) {
    await file.close();
    throw unreadable(path, `it cannot be read (${systemCode(cause)})`, cause);
  }
  await file.close();
  throw unreadable(path, "it is not a file");
}

/** @returns the bytes from `offset` on; fewer than `sizeBytes` when the file ends before */
export async function readBytes(
  file: FileHandle,
  { offset, sizeBytes }: { readonly offset: number; readonly sizeBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(sizeBytes);
  let numRead = 0;
  while (numRead < sizeBytes) {
    const length = Math.min(READ_CHUNK_BYTES, sizeBytes - numRead);
    const { bytesRead } = await file.read(bytes, numRead, length, offset + numRead);
    if (bytesRead === 0) break;
    numRead += bytesRead;
  }
  return bytes.subarray(0, numRead);
}

function unreadable(path: string, what: string, cause?: unknown): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `${shown(basename(path))} cannot be used: ${what}. See that the file is there and yours to read.`,
    { cause },
  );
}

const systemCode = (cause: unknown): string =>
  cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason";
