/**
 * The head of a GGUF file, versions 2 and 3, read strictly: a file that lies about itself is refused
 * before anything is mapped or allocated.
 *
 * Every number of the file is compared with what is left of it before it is believed, so that neither
 * memory nor time depends on what a file claims.
 *
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { basename } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { GgufCursor } from "./gguf-cursor.ts";
import {
  alignUp,
  DEFAULT_ALIGNMENT,
  foreignDtypes,
  GGUF_MAGIC,
  type GgufScalar,
  type GgufScalarType,
  type GgufValue,
  ggufDtypes,
  ggufValueTypes,
  scalarBytes,
} from "./gguf-types.ts";
import { openRegularFile } from "./regular-file.ts";
import { shown } from "./shown.ts";
import { fileDtypes, numBytesOf, type TensorEntry } from "./tensor-entry.ts";

export type GgufFile = {
  readonly path: string;
  readonly version: number;
  /** Values that were asked for, by key. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
};

/** Vocabulary and merges of this family take 9 MB; a file of ours has its tokenizer.json in it, too. */
const MAX_HEADER_BYTES = 256 * 1024 * 1024;
const MAX_VALUES = 4096;
/** The 90B has 1,300. */
const MAX_TENSORS = 65_536;
const MAX_NAME_BYTES = 256;
/** A whole tokenizer.json. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;
const MAX_AXES = 4;
const MAX_ALIGNMENT = 1 << 20;
/** Of "version https://git-lfs…", which is what a clone without LFS has in the file's place. */
const LFS_POINTER_START = "vers";

type Fail = (what: string) => PlatformError;

/**
 * Read a file's metadata and table; the tensors themselves stay where they are.
 *
 * @param wants which values are kept; the others are only checked. All when absent.
 * @throws PlatformError `corrupt_model_file` when the file is cut short, overlaps itself or claims what cannot be
 */
export async function openGguf(
  path: string,
  wants: (key: string) => boolean = () => true,
): Promise<GgufFile> {
  const fail: Fail = (what) =>
    new PlatformError(
      "corrupt_model_file",
      `${shown(basename(path))} cannot be used: ${what}. Get the file again.`,
    );
  const file = await openRegularFile(path);
  try {
    const { size } = await file.stat();
    const cursor = new GgufCursor(file, Math.min(size, MAX_HEADER_BYTES), fail);
    const version = await readStart(cursor, fail);
    const numTensors = await count(cursor, { what: "number of tensors", most: MAX_TENSORS, fail });
    const numValues = await count(cursor, { what: "number of values", most: MAX_VALUES, fail });
    const metadata = await readMetadata(cursor, { numValues, wants, fail });
    const claims = await readTable(cursor, { numTensors, fail });
    const dataStart = alignUp(cursor.position, metadata.alignment);
    const { alignment } = metadata;
    const tensors = placeTensors(claims, { path, alignment, dataStart, fileBytes: size, fail });
    return { path, version, metadata: metadata.values, tensors };
  } finally {
    await file.close();
  }
}

async function readStart(cursor: GgufCursor, fail: Fail): Promise<number> {
  await cursor.require(8, "its first eight bytes");
  const magic = cursor.take(4, (view, at) =>
    String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4)),
  );
  if (magic === LFS_POINTER_START) {
    throw fail("it is a pointer of Git LFS and not the file itself: run git lfs pull");
  }
  if (magic !== GGUF_MAGIC) throw fail(`it begins with ${shown(magic)} and not with ${GGUF_MAGIC}`);
  const version = await cursor.u32("its version");
  if (version === 2 || version === 3) return version;
  throw fail(
    version >= 1 << 24 || version === 0
      ? "its numbers are big-endian, or it is damaged; files of this kind are little-endian here"
      : `it has version ${version} of GGUF, and 2 and 3 are read`,
  );
}

async function count(
  cursor: GgufCursor,
  { what, most, fail }: { readonly what: string; readonly most: number; readonly fail: Fail },
): Promise<number> {
  const value = await cursor.u64(`its ${what}`);
  if (value > most) throw fail(`its ${what} is ${value}, and at most ${most} are read`);
  return value;
}

// ---------------------------------------------------------------------------------- metadata

async function readMetadata(
  cursor: GgufCursor,
  {
    numValues,
    wants,
    fail,
  }: {
    readonly numValues: number;
    readonly wants: (key: string) => boolean;
    readonly fail: Fail;
  },
): Promise<{ readonly values: ReadonlyMap<string, GgufValue>; readonly alignment: number }> {
  const values = new Map<string, GgufValue>();
  const keys = new Set<string>();
  let alignment = DEFAULT_ALIGNMENT;
  for (let index = 0; index < numValues; index++) {
    const key = await cursor.text(`the name of value ${index + 1} of ${numValues}`, MAX_NAME_BYTES);
    if (keys.has(key)) throw fail(`its value ${shown(key)} is there twice`);
    keys.add(key);
    const isAlignment = key === "general.alignment";
    const value = await readValue(cursor, { key, isWanted: isAlignment || wants(key), fail });
    if (isAlignment) alignment = checkedAlignment(value, fail);
    if (value !== undefined && wants(key)) values.set(key, value);
  }
  return { values, alignment };
}

function checkedAlignment(value: GgufValue | undefined, fail: Fail): number {
  const number = value?.type === "u32" ? Number(value.value) : 0;
  const isPowerOfTwo = number > 0 && (number & (number - 1)) === 0;
  if (isPowerOfTwo && number >= 8 && number <= MAX_ALIGNMENT) return number;
  throw fail(
    `its alignment is ${shown(value?.value)}, which is no power of two from 8 to ${MAX_ALIGNMENT}`,
  );
}

/** @returns `undefined` for a value that nobody wants */
async function readValue(
  cursor: GgufCursor,
  {
    key,
    isWanted,
    fail,
  }: { readonly key: string; readonly isWanted: boolean; readonly fail: Fail },
): Promise<GgufValue | undefined> {
  const what = `its value ${shown(key)}`;
  const type = ggufValueTypes[await cursor.u32(`the type of ${what}`)];
  if (type === undefined) throw fail(`${what} is of a type that GGUF does not have`);
  if (type === "array") return await readArray(cursor, { what, isWanted, fail });
  if (type === "string") return { type, value: await cursor.text(what, MAX_TEXT_BYTES) };
  await cursor.require(scalarBytes[type], what);
  return { type, value: takeScalar(cursor, { type, what, fail }) };
}

async function readArray(
  cursor: GgufCursor,
  {
    what,
    isWanted,
    fail,
  }: { readonly what: string; readonly isWanted: boolean; readonly fail: Fail },
): Promise<GgufValue | undefined> {
  const of = ggufValueTypes[await cursor.u32(`the type of ${what}`)];
  if (of === undefined) throw fail(`${what} is a list of a type that GGUF does not have`);
  // They may nest without end, and no model has one.
  if (of === "array") throw fail(`${what} is a list of lists`);
  const length = await cursor.u64(`the length of ${what}`);
  const leastBytes = of === "string" ? 8 : scalarBytes[of];
  if (length * leastBytes > cursor.numLeft) {
    throw fail(`${what} claims ${length} entries, more than the file can hold`);
  }
  if (of !== "string" && !isWanted) {
    cursor.skip(length * leastBytes, what);
    return undefined;
  }
  const value: GgufScalar[] = [];
  for (let index = 0; index < length; index++) {
    const entry =
      of === "string"
        ? (cursor.textAtHand(what) ?? (await cursor.text(what, MAX_TEXT_BYTES)))
        : await nextScalar(cursor, { type: of, what, fail });
    if (isWanted) value.push(entry);
  }
  return isWanted ? { type: "array", of, value } : undefined;
}

type Wanted = {
  readonly type: Exclude<GgufScalarType, "string">;
  readonly what: string;
  readonly fail: Fail;
};

/** Waits only where the file has to be read on. */
function nextScalar(cursor: GgufCursor, wanted: Wanted): GgufScalar | Promise<GgufScalar> {
  const numBytes = scalarBytes[wanted.type];
  if (cursor.hasAtHand(numBytes)) return takeScalar(cursor, wanted);
  return cursor.require(numBytes, wanted.what).then(() => takeScalar(cursor, wanted));
}

/** Numbers that a double holds whatever their bits are; all little-endian. */
const numberReaders = {
  u8: (view: DataView, at: number) => view.getUint8(at),
  i8: (view: DataView, at: number) => view.getInt8(at),
  u16: (view: DataView, at: number) => view.getUint16(at, true),
  i16: (view: DataView, at: number) => view.getInt16(at, true),
  u32: (view: DataView, at: number) => view.getUint32(at, true),
  i32: (view: DataView, at: number) => view.getInt32(at, true),
  f32: (view: DataView, at: number) => view.getFloat32(at, true),
  f64: (view: DataView, at: number) => view.getFloat64(at, true),
} as const;

function takeScalar(cursor: GgufCursor, { type, what, fail }: Wanted): GgufScalar {
  const numBytes = scalarBytes[type];
  if (type === "u64") return cursor.takeU64(what);
  if (type === "i64") {
    const value = cursor.take(numBytes, (view, at) => view.getBigInt64(at, true));
    if (!Number.isSafeInteger(Number(value))) throw fail(`${what} is ${value}`);
    return Number(value);
  }
  if (type === "bool") {
    const value = cursor.take(numBytes, (view, at) => view.getUint8(at));
    if (value > 1) throw fail(`${what} is neither true nor false`);
    return value === 1;
  }
  return cursor.take(numBytes, numberReaders[type]);
}

// ----------------------------------------------------------------------------------- tensors

/** A tensor as the table describes it; its offset is counted from where the data begin. */
type Claim = Omit<TensorEntry, "path">;

async function readTable(
  cursor: GgufCursor,
  { numTensors, fail }: { readonly numTensors: number; readonly fail: Fail },
): Promise<readonly Claim[]> {
  const claims = new Map<string, Claim>();
  for (let index = 0; index < numTensors; index++) {
    const name = await cursor.text(
      `the name of tensor ${index + 1} of ${numTensors}`,
      MAX_NAME_BYTES,
    );
    if (claims.has(name)) throw fail(`its tensor ${shown(name)} is there twice`);
    claims.set(name, await readClaim(cursor, name, fail));
  }
  return [...claims.values()];
}

async function readClaim(cursor: GgufCursor, name: string, fail: Fail): Promise<Claim> {
  const what = `its tensor ${shown(name)}`;
  const numAxes = await cursor.u32(`the shape of ${what}`);
  if (numAxes < 1 || numAxes > MAX_AXES) throw fail(`${what} has ${numAxes} axes`);
  const extents: number[] = [];
  for (let axis = 0; axis < numAxes; axis++) extents.push(await cursor.u64(`an axis of ${what}`));
  const [width = 0] = extents;
  // Innermost first in the file.
  const shape = extents.toReversed();
  const type = await cursor.u32(`the type of ${what}`);
  const offset = await cursor.u64(`the place of ${what}`);
  const dtype = ggufDtypes.get(type);
  if (dtype === undefined) {
    const known = foreignDtypes.get(type);
    throw fail(
      `${what} is of the type ${known ?? type}, which cannot be computed with here; types that can are ${[...ggufDtypes.values()].join(", ")}`,
    );
  }
  if (shape.includes(0)) throw fail(`${what} of shape ${shown(shape)} is empty`);
  if (width % fileDtypes[dtype].length !== 0) {
    throw fail(
      `${what} has rows of ${width} elements, which are no whole blocks of ${fileDtypes[dtype].length} as ${dtype} has them`,
    );
  }
  const sizeBytes = numBytesOf(dtype, shape);
  if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw fail(`${what} of shape ${shown(shape)} is larger than any file`);
  }
  return { name, dtype, shape, offset, sizeBytes: Number(sizeBytes) };
}

/** Tensors follow each other, each at the next multiple of the alignment, to the end of the file. */
function placeTensors(
  claims: readonly Claim[],
  {
    path,
    alignment,
    dataStart,
    fileBytes,
    fail,
  }: {
    readonly path: string;
    readonly alignment: number;
    readonly dataStart: number;
    readonly fileBytes: number;
    readonly fail: Fail;
  },
): ReadonlyMap<string, TensorEntry> {
  let end = 0;
  for (const { name, offset, sizeBytes } of claims.toSorted((a, b) => a.offset - b.offset)) {
    const what = `its tensor ${shown(name)}`;
    if (offset % alignment !== 0) {
      throw fail(`${what} lies at ${offset}, which is no multiple of its alignment ${alignment}`);
    }
    if (offset < end) throw fail(`${what} overlaps the one before it`);
    if (offset > alignUp(end, alignment)) throw fail(`${what} leaves a hole before it`);
    end = offset + sizeBytes;
  }
  const fileEnd = dataStart + end;
  if (fileEnd > fileBytes && claims.length > 0) {
    throw fail(`it is cut short: its tensors end at byte ${fileEnd} and the file at ${fileBytes}`);
  }
  if (fileBytes > Math.max(alignUp(fileEnd, alignment), dataStart)) {
    throw fail(`it is too long: its tensors end at byte ${fileEnd} and the file at ${fileBytes}`);
  }
  return new Map(
    claims.map((claim) => [claim.name, { ...claim, path, offset: dataStart + claim.offset }]),
  );
}
