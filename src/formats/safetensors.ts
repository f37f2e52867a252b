/**
 * The table at the head of a safetensors file, read strictly: a file that lies about itself is refused
 * before anything is mapped or allocated.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
import { basename } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { openRegularFile, readBytes } from "./regular-file.ts";
import { shown } from "./shown.ts";
import {
  type FileDtype,
  fileDtypes,
  isFileDtype,
  numBytesOf,
  type TensorEntry,
} from "./tensor-entry.ts";
import { parseUniqueJson } from "./unique-json.ts";

/** The whole table of a 90B checkpoint has 200 kB; a larger one is read for too long to be honest. */
const MAX_HEADER_BYTES = 2 * 1024 * 1024;
/** The length of the header, a little-endian 64-bit number, stands before it. */
export const PREFIX_BYTES = 8;
/** Of "version https://git-lfs…", which is what a clone without LFS has in the file's place. */
const LFS_POINTER_START = "version ";
/** The one name in the table that is no tensor's. */
const METADATA = "__metadata__";
/** A convolution's weight has four. */
const MAX_AXES = 8;

/**
 * Read a file's table; the tensors themselves stay where they are.
 *
 * @throws PlatformError `corrupt_model_file` when the file is cut short, overlaps itself or claims what cannot be
 */
export async function openSafetensors(path: string): Promise<ReadonlyMap<string, TensorEntry>> {
  const file = await openRegularFile(path);
  try {
    const { size } = await file.stat();
    const prefix = await readBytes(file, { offset: 0, sizeBytes: PREFIX_BYTES });
    const sizeBytes = parseHeaderLength(prefix, size, path);
    const header = await readBytes(file, { offset: PREFIX_BYTES, sizeBytes });
    return parseSafetensorsHeader(header, size, path);
  } finally {
    await file.close();
  }
}

/**
 * @param prefix the file's first eight bytes, or as many as it has
 * @returns the length of the JSON text after them
 * @throws PlatformError `corrupt_model_file`
 */
export function parseHeaderLength(prefix: Uint8Array, fileSizeBytes: number, path: string): number {
  if (prefix.byteLength < PREFIX_BYTES) {
    throw corrupt(path, `it has ${fileSizeBytes} bytes, too few for any header`);
  }
  if (new TextDecoder().decode(prefix) === LFS_POINTER_START) {
    throw corrupt(path, "it is a pointer of Git LFS and not the file itself: run git lfs pull");
  }
  const claimed = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (claimed > BigInt(Math.max(0, fileSizeBytes - PREFIX_BYTES))) {
    throw corrupt(path, `its header claims ${claimed} bytes in a file of ${fileSizeBytes}`);
  }
  if (claimed > BigInt(MAX_HEADER_BYTES)) {
    throw corrupt(path, `its header claims ${claimed} bytes, more than ${MAX_HEADER_BYTES}`);
  }
  return Number(claimed);
}

/**
 * @param header the JSON text, without the eight bytes of its length
 * @param fileSizeBytes size of the whole file
 * @throws PlatformError `corrupt_model_file`
 */
export function parseSafetensorsHeader(
  header: Uint8Array,
  fileSizeBytes: number,
  path: string,
): ReadonlyMap<string, TensorEntry> {
  const table = parseTable(header, path);
  const dataStart = PREFIX_BYTES + header.byteLength;
  const { [METADATA]: metadata, ...tensors } = table;
  if (metadata !== undefined && !isStringMap(metadata)) {
    throw corrupt(path, `its ${METADATA} ${shown(metadata)} is no map of texts`);
  }
  const entries = Object.entries(tensors).map(([name, value]) =>
    parseEntry(value, { name, path, dataStart }),
  );
  checkCoverage(entries, { path, dataStart, fileSizeBytes });
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** Begins with a brace, as the format demands: neither white space nor a byte-order mark. */
function parseTable(header: Uint8Array, path: string): Record<string, unknown> {
  if (header[0] !== "{".charCodeAt(0)) throw corrupt(path, "its header is no JSON object");
  let parsed: unknown;
  try {
    parsed = parseUniqueJson(new TextDecoder("utf-8", { fatal: true }).decode(header));
  } catch (cause) {
    throw corrupt(path, `its header is no JSON table (${reason(cause)})`, cause);
  }
  if (!isRecord(parsed)) throw corrupt(path, "its header is no JSON object");
  return parsed;
}

function parseEntry(
  value: unknown,
  at: { readonly name: string; readonly path: string; readonly dataStart: number },
): TensorEntry {
  const { name, path, dataStart } = at;
  const fail = (what: string): never => {
    throw corrupt(path, `its tensor ${shown(name)} ${what}`);
  };
  if (!isRecord(value)) return fail("has no description");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !isDtype(dtype)) return fail(`has the type ${shown(dtype)}`);
  if (!areSizes(shape) || shape.length > MAX_AXES) return fail(`has the shape ${shown(shape)}`);
  if (!areSizes(offsets) || offsets.length !== 2) return fail(`lies at ${shown(offsets)}`);
  const [begin = 0, end = 0] = offsets;
  const numBytes = numBytesOf(dtype, shape);
  if (BigInt(end) - BigInt(begin) !== numBytes) {
    return fail(
      `of shape ${shown(shape)} needs ${shown(String(numBytes))} bytes and has ${end - begin}`,
    );
  }
  return { name, dtype, shape, path, offset: dataStart + begin, sizeBytes: end - begin };
}

/** Tensors follow each other from the first byte to the last, without overlap or hole. */
function checkCoverage(
  entries: readonly TensorEntry[],
  file: { readonly path: string; readonly dataStart: number; readonly fileSizeBytes: number },
): void {
  const { path, dataStart, fileSizeBytes } = file;
  let next = dataStart;
  for (const entry of entries.toSorted(
    (a, b) => a.offset - b.offset || a.sizeBytes - b.sizeBytes,
  )) {
    if (entry.offset !== next) {
      const what = entry.offset < next ? "overlaps the one before it" : "leaves a hole before it";
      throw corrupt(path, `its tensor ${shown(entry.name)} ${what}`);
    }
    next += entry.sizeBytes;
  }
  if (next !== fileSizeBytes) {
    const what = next > fileSizeBytes ? "cut short" : "too long";
    throw corrupt(
      path,
      `it is ${what}: its tensors end at byte ${next} and the file at ${fileSizeBytes}`,
    );
  }
}

function corrupt(path: string, what: string, cause?: unknown): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `${shown(basename(path))} cannot be used: ${what}. Download it again.`,
    { cause },
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isStringMap = (value: unknown): boolean =>
  isRecord(value) && Object.values(value).every((text) => typeof text === "string");
/** Its types have no blocks. */
const isDtype = (name: string): name is FileDtype =>
  isFileDtype(name) && fileDtypes[name].length === 1;
const areSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
const reason = (cause: unknown): string =>
  cause instanceof Error ? shown(cause.message) : "unreadable";
