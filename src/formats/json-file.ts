/** A checkpoint's JSON side files: small, UTF-8, each key once. */
import { basename } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { openRegularFile, readBytes } from "./regular-file.ts";
import { shown } from "./shown.ts";
import { parseUniqueJson } from "./unique-json.ts";

/** The largest of them, the index of a 90B checkpoint, has 140 kB. */
const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** @throws PlatformError `corrupt_model_file` for a file that is too large, or not such JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  const file = await openRegularFile(path);
  let bytes: Uint8Array;
  try {
    const { size } = await file.stat();
    if (size > MAX_JSON_BYTES) {
      throw corrupt(path, `it has ${size} bytes, and at most ${MAX_JSON_BYTES} are read`);
    }
    bytes = await readBytes(file, { offset: 0, sizeBytes: size });
  } finally {
    await file.close();
  }
  try {
    return parseUniqueJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? shown(cause.message) : "unreadable";
    throw corrupt(path, `it is no JSON (${reason}). Download it again`, cause);
  }
}

function corrupt(path: string, what: string, cause?: unknown): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `${shown(basename(path))} cannot be used: ${what}.`,
    { cause },
  );
}
