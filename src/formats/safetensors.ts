/**
 * The table at the head of a safetensors file, read strictly: a file that lies about itself is refused
 * before anything is mapped or allocated.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { parseUniqueJson } from "./unique-json.ts";

export type TensorEntry = {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  /** Outermost axis first. */
  readonly shape: readonly number[];
  readonly path: string;
  /** Byte offset from the beginning of the file. */
  readonly offset: number;
  readonly sizeBytes: number;
};

const bytesPerElement = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;
export type SafetensorsDtype = keyof typeof bytesPerElement;

/** A 90B checkpoint's whole table is 200 kB; more is no table of a model we run. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const MAX_AXES = 8;

/**
 * Read a file's table; the tensors themselves stay where they are.
 *
 * @throws PlatformError `corrupt_model_file` when the file is cut short, overlaps itself or claims what cannot be
 */
export async function openSafetensors(path: string): Promise<ReadonlyMap<string, TensorEntry>> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const prefix = Buffer.alloc(8);
    await file.read(prefix, 0, 8, 0);
    const headerBytes = checkedHeaderLength(prefix, size, path);
    const header = Buffer.alloc(headerBytes);
    const { bytesRead } = await file.read(header, 0, headerBytes, 8);
    return parseSafetensorsHeader(header.subarray(0, bytesRead), size, path);
  } finally {
    await file.close();
  }
}

function checkedHeaderLength(prefix: Uint8Array, fileSize: number, path: string): number {
  const view = new DataView(prefix.buffer, prefix.byteOffset, 8);
  const claimed = fileSize < 8 ? 0n : view.getBigUint64(0, true);
  if (claimed < 2n || claimed > BigInt(Math.min(MAX_HEADER_BYTES, fileSize - 8))) {
    throw corrupt(
      path,
      `its header claims ${claimed} bytes in a file of ${fileSize}. Download it again`,
    );
  }
  return Number(claimed);
}

/**
 * @param header the JSON text, without the eight bytes of its length
 * @param fileSizeBytes size of the whole file
 */
export function parseSafetensorsHeader(
  header: Uint8Array,
  fileSizeBytes: number,
  path: string,
): ReadonlyMap<string, TensorEntry> {
  const table = parseTable(header, path);
  const dataStart = 8 + header.byteLength;
  const entries: TensorEntry[] = [];
  for (const [name, value] of Object.entries(table)) {
    if (name === "__metadata__") continue;
    entries.push(parseEntry(value, { name, path, dataStart }));
  }
  checkCoverage(entries, { path, dataStart, fileSizeBytes });
  return new Map(entries.map((entry) => [entry.name, entry]));
}

function parseTable(header: Uint8Array, path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseUniqueJson(new TextDecoder("utf-8", { fatal: true }).decode(header));
  } catch (cause) {
    throw corrupt(path, `its header is no JSON table (${reason(cause)}). Download it again`, cause);
  }
  if (!isRecord(parsed)) throw corrupt(path, "its header is no JSON table. Download it again");
  return parsed;
}

function parseEntry(
  value: unknown,
  at: { readonly name: string; readonly path: string; readonly dataStart: number },
): TensorEntry {
  const { name, path, dataStart } = at;
  const fail = (what: string): never => {
    throw corrupt(path, `tensor ${shown(name)} ${what}. Download it again`);
  };
  if (!isRecord(value)) return fail("has no description");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !isDtype(dtype)) return fail(`has the type ${shown(dtype)}`);
  if (!Array.isArray(shape) || shape.length > MAX_AXES || !shape.every(isSize)) {
    return fail(`has the shape ${shown(shape)}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return fail(`lies at ${shown(offsets)}`);
  }
  const [begin = 0, end = 0] = offsets;
  const numBytes = shape.reduce(
    (product, extent) => product * BigInt(extent),
    BigInt(bytesPerElement[dtype]),
  );
  if (BigInt(end) - BigInt(begin) !== numBytes) {
    return fail(`of shape [${shape.join(", ")}] needs ${numBytes} bytes and has ${end - begin}`);
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
      throw corrupt(path, `tensor ${shown(entry.name)} ${what}. Download it again`);
    }
    next += entry.sizeBytes;
  }
  if (next !== fileSizeBytes) {
    const what = next > fileSizeBytes ? "cut short" : "too long";
    throw corrupt(
      path,
      `it is ${what}: its tensors end at byte ${next} and the file at ${fileSizeBytes}. Download it again`,
    );
  }
}

function corrupt(path: string, what: string, cause?: unknown): PlatformError {
  return new PlatformError("corrupt_model_file", `${basename(path)} cannot be used: ${what}.`, {
    cause,
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isDtype = (name: string): name is SafetensorsDtype => Object.hasOwn(bytesPerElement, name);
const isSize = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : "unreadable");

/** A value out of a file, short enough for a sentence. */
function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
