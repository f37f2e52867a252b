/**
 * A checkpoint with its matrices in fewer bits: made once, kept under `ATALAYA_HOME`, mapped from then on.
 *
 * Tensors go one after another from the mapped files through ggml's quantizers into one GGUF of ours, on
 * all cores and never more than a few megabytes of each at a time. The result is a directory like any
 * checkpoint's, and the file alone can be launched too.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { type GgufLayout, layOutGguf, type PlacedTensor } from "../../formats/gguf-layout.ts";
import { openRegularFile, readBytes } from "../../formats/regular-file.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import { type Dtype, rowBytes } from "../../ggml/dtype.ts";
import { loadGgml } from "../../ggml/library.ts";
import { QuantizationSource } from "../../ggml/quantize.ts";
import { type Checkpoint, openCheckpoint } from "../../models/mllama/checkpoint.ts";
import { metadataOfFiles, smallFiles } from "../../models/mllama/gguf-files.ts";
import { OUR_ARCHITECTURE } from "../../models/mllama/gguf-weights.ts";
import {
  type ChooseType,
  type Quantization,
  quantizedTypes,
} from "../../models/mllama/quantization.ts";
import { lockFile } from "../../posix/file-lock.ts";
import type { LoadProgress } from "../engine.ts";
import { DerivedFile, digestInFile, digestOf, journalOf } from "./derived-file.ts";
import { type Importance, readImportance } from "./importance.ts";

export type QuantizeOptions = {
  /** Of the checkpoint in safetensors. */
  readonly directory: string;
  readonly quantization: Quantization;
  /** `ATALAYA_HOME`. */
  readonly cacheDirectory: string;
  /** File of an importance matrix. */
  readonly imatrix: string | undefined;
  /** What each tensor becomes, to try another choice; the quantization's own when absent. */
  readonly chooseType?: ChooseType;
  /** All cores when absent. */
  readonly numThreads?: number | undefined;
};

type OnProgress = (progress: LoadProgress) => void;

/** Raised when the same source and options give another file. */
const FORM_VERSION = 1;
const MODEL_FILE = "model.gguf";
const RECORD_FILE = "record.json";
/** Elements of one piece of work: 4 MB as float32. */
const PIECE_ELEMENTS = 1 << 20;
/** Kept free on the disk. */
const MARGIN_BYTES = 64 * 1024 * 1024;
/** Of a weight file that tell it from another: spread over all of it. */
const NUM_SAMPLES = 64;
const SAMPLE_BYTES = 4096;
const PROGRESS_EVERY_MS = 100;

/**
 * @returns the directory of the quantized model, made now or found
 * @throws PlatformError `corrupt_model_file`, `disk_full`, `cache_unusable`
 */
export async function quantizedDirectory(
  options: QuantizeOptions,
  onProgress: OnProgress,
): Promise<string> {
  const checkpoint = await openCheckpoint(options.directory);
  requireFloats(checkpoint);
  const root = join(options.cacheDirectory, "quantized");
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const key = await keyOf(checkpoint, options);
    const directory = join(root, `${safeName(options.directory)}-${options.quantization}-${key}`);
    // Found without waiting for whoever makes it anew.
    if ((await soundness(directory)) === "sound") return directory;
    await using _lock = await lockFile(`${directory}.lock`, {
      onWait: () =>
        onProgress({
          stage: "waiting for another process that quantizes this model",
          fraction: undefined,
        }),
    });
    const state = await soundness(directory);
    if (state === "sound") return directory;
    if (state === "damaged") {
      await rm(directory, { recursive: true, force: true });
      onProgress({
        stage: `the quantized file kept in ${basename(directory)} was damaged and is made anew`,
        fraction: undefined,
      });
    }
    await make(checkpoint, { ...options, directory }, onProgress);
    return directory;
  } catch (error) {
    throw asDiskError(error, root);
  }
}

/** From a GGUF of Ollama's or a quantized one nothing better could be made. */
function requireFloats({ directory, form, tensors }: Checkpoint): void {
  const isPublished = form.headChannels === "halves" && form.ropeFactors === undefined;
  const hasFloats = [...tensors.values()].every(({ dtype }) => /^(F32|F16|BF16)$/.test(dtype));
  if (isPublished && hasFloats) return;
  throw new PlatformError(
    "invalid_request",
    `${directory} is quantized already. Leave --quantization out, or launch the safetensors it was made from.`,
    { details: { param: "quantization" } },
  );
}

// ----------------------------------------------------------------------------- what is kept

const Record = z.object({
  version: z.literal(FORM_VERSION),
  fileBytes: z.int().min(0),
  mtimeMs: z.number(),
  head: z.string(),
  headBytes: z.int().min(0),
  tensors: z.array(
    z.object({ offset: z.int().min(0), sizeBytes: z.int().min(0), sha256: z.string() }),
  ),
});
type Record = z.infer<typeof Record>;

/**
 * Size and time of the file are those that were recorded when it was made; when they are not, its
 * contents decide.
 */
async function soundness(directory: string): Promise<"sound" | "damaged" | "absent"> {
  if ((await stat(directory).catch(() => undefined)) === undefined) return "absent";
  const record = await readRecord(directory);
  const path = join(directory, MODEL_FILE);
  const info = await stat(path).catch(() => undefined);
  if (record === undefined || info?.size !== record.fileBytes) return "damaged";
  if (info.mtimeMs === record.mtimeMs) return "sound";
  if (!(await isIntact(path, record))) return "damaged";
  await writeRecord(directory, { ...record, mtimeMs: info.mtimeMs }).catch(() => undefined);
  return "sound";
}

async function isIntact(path: string, record: Record): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const head = await readBytes(file, { offset: 0, sizeBytes: record.headBytes });
    if (digestOf(head) !== record.head) return false;
    for (const tensor of record.tensors) {
      if ((await digestInFile(file, tensor)) !== tensor.sha256) return false;
    }
    return true;
  } finally {
    await file.close();
  }
}

async function readRecord(directory: string): Promise<Record | undefined> {
  try {
    return Record.parse(JSON.parse(await readFile(join(directory, RECORD_FILE), "utf8")));
  } catch {
    return undefined;
  }
}

async function writeRecord(directory: string, record: Record): Promise<void> {
  const path = join(directory, RECORD_FILE);
  await writeFile(`${path}.new`, JSON.stringify(record), { flush: true });
  await rename(`${path}.new`, path);
}

/** Of the contents of the source, the options and the quantizers. */
async function keyOf(checkpoint: Checkpoint, options: QuantizeOptions): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([FORM_VERSION, loadGgml().version, options.quantization]));
  if (options.imatrix !== undefined) await hashSamples(hash, options.imatrix);
  for (const [name, text] of await readSmallFiles(checkpoint.directory)) {
    hash.update(JSON.stringify([name, text]));
  }
  const chooseType = typesOf(checkpoint, options);
  for (const [name, { dtype, shape, offset, sizeBytes }] of checkpoint.tensors) {
    const becomes = chooseType({ name, shape, dtype });
    hash.update(JSON.stringify([name, dtype, shape, offset, sizeBytes, becomes]));
  }
  for (const path of new Set([...checkpoint.tensors.values()].map((entry) => entry.path))) {
    await hashSamples(hash, path);
  }
  return hash.digest("hex").slice(0, 16);
}

const typesOf = (
  { config }: Checkpoint,
  { quantization, chooseType }: Pick<QuantizeOptions, "quantization" | "chooseType">,
): ChooseType => chooseType ?? quantizedTypes(quantization, config.text.numLayers);

/** The size of a file and pieces of it, the first and the last among them. */
async function hashSamples(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  const file = await openRegularFile(path);
  try {
    const { size } = await file.stat();
    hash.update(`${size}\n`);
    for (let sample = 0; sample < NUM_SAMPLES; sample++) {
      const offset = Math.floor((Math.max(0, size - SAMPLE_BYTES) * sample) / (NUM_SAMPLES - 1));
      hash.update(await readBytes(file, { offset, sizeBytes: SAMPLE_BYTES }));
    }
  } finally {
    await file.close();
  }
}

async function readSmallFiles(directory: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const name of smallFiles) {
    const text = await readFile(join(directory, name), "utf8").catch(() => undefined);
    if (text !== undefined) files.set(name, text);
  }
  return files;
}

const safeName = (directory: string): string =>
  basename(directory)
    .replace(/[^\w.-]/g, "_")
    .slice(0, 60);

// ---------------------------------------------------------------------------------- making it

async function make(
  checkpoint: Checkpoint,
  options: QuantizeOptions,
  onProgress: OnProgress,
): Promise<void> {
  const { directory, quantization, imatrix } = options;
  const { tensors } = checkpoint;
  const importance =
    imatrix === undefined ? undefined : await readImportance(imatrix, checkpoint.tensors);
  const files = await readSmallFiles(checkpoint.directory);
  const chooseType = typesOf(checkpoint, options);
  const layout = layOutGguf(
    new Map([
      ["general.architecture", { type: "string", value: OUR_ARCHITECTURE }],
      ["general.name", { type: "string", value: basename(checkpoint.directory) }],
      ["atalaya.form", { type: "u32", value: FORM_VERSION }],
      ["atalaya.quantization", { type: "string", value: quantization }],
      ["atalaya.ggml_version", { type: "string", value: loadGgml().version }],
      ...metadataOfFiles(files),
    ]),
    [...tensors].map(([name, { shape, dtype }]) => ({
      name,
      shape,
      dtype: chooseType({ name, shape, dtype }),
    })),
  );
  const partial = `${directory}.partial`;
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const path = join(partial, MODEL_FILE);
  await requireSpace(partial, layout, path);
  {
    await using file = await DerivedFile.open(path, layout);
    await writeTensors(file, { layout, tensors, importance, options }, onProgress);
    await file.finish();
    await writeRecord(partial, {
      version: FORM_VERSION,
      fileBytes: layout.fileBytes,
      mtimeMs: (await stat(path)).mtimeMs,
      head: digestOf(layout.head),
      headBytes: layout.head.length,
      tensors: layout.tensors.map(({ offset, sizeBytes }, index) => ({
        offset,
        sizeBytes,
        sha256: file.digests[index] ?? "",
      })),
    });
  }
  for (const [name, text] of files) await writeFile(join(partial, name), text, { flush: true });
  await rm(journalOf(path), { force: true });
  await rename(partial, directory);
  await syncDirectory(join(directory, ".."));
}

async function writeTensors(
  file: DerivedFile,
  {
    layout,
    tensors,
    importance,
    options,
  }: {
    readonly layout: GgufLayout;
    readonly tensors: ReadonlyMap<string, TensorEntry>;
    readonly importance: Importance | undefined;
    readonly options: QuantizeOptions;
  },
  onProgress: OnProgress,
): Promise<void> {
  const { quantization, numThreads = availableParallelism() } = options;
  const totalBytes = [...tensors.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  const advance = (numBytes: number): void => {
    doneBytes += numBytes;
    const now = performance.now();
    if (now - toldAt < PROGRESS_EVERY_MS && doneBytes < totalBytes) return;
    toldAt = now;
    const fraction = totalBytes === 0 ? 1 : doneBytes / totalBytes;
    onProgress({ stage: `quantizing to ${quantization}`, fraction, totalBytes });
  };
  using sources = new Sources();
  for (const [index, placed] of layout.tensors.entries()) {
    const entry = tensors.get(placed.name);
    if (entry === undefined) throw new Error(`${placed.name} has no source`);
    if (index < file.digests.length) {
      advance(entry.sizeBytes);
      continue;
    }
    const columns = importance?.get(placed.name);
    await file.append(
      placed.dtype === entry.dtype
        ? copied(entry, advance)
        : quantized(entry, placed, { sources, columns, numThreads, advance }),
    );
  }
}

/** Mapped files, each opened once. */
class Sources implements Disposable {
  readonly #open = new Map<string, QuantizationSource>();

  of(path: string): QuantizationSource {
    const source = this.#open.get(path) ?? new QuantizationSource(path);
    this.#open.set(path, source);
    return source;
  }

  [Symbol.dispose](): void {
    for (const source of this.#open.values()) source[Symbol.dispose]();
  }
}

async function* copied(
  { path, offset, sizeBytes }: TensorEntry,
  advance: (numBytes: number) => void,
): AsyncGenerator<Uint8Array, void> {
  const file = await openRegularFile(path);
  try {
    for (let done = 0; done < sizeBytes; ) {
      const length = Math.min(4 * PIECE_ELEMENTS, sizeBytes - done);
      const bytes = await readBytes(file, { offset: offset + done, sizeBytes: length });
      if (bytes.length < length) throw shrunk(path);
      yield bytes;
      done += length;
      advance(length);
    }
  } finally {
    await file.close();
  }
}

const dtypeOf = { F32: "f32", F16: "f16", BF16: "bf16" } as const;

/** Pieces in order, of which as many are computed at once as there are threads. */
async function* quantized(
  { path, shape, dtype, offset, sizeBytes }: TensorEntry,
  placed: PlacedTensor,
  {
    sources,
    columns,
    numThreads,
    advance,
  }: {
    readonly sources: Sources;
    readonly columns: Float32Array | undefined;
    readonly numThreads: number;
    readonly advance: (numBytes: number) => void;
  },
): AsyncGenerator<Uint8Array, void> {
  if (!(dtype in dtypeOf)) throw new Error(`${placed.name} has the type ${dtype}`);
  const from = dtypeOf[dtype as keyof typeof dtypeOf];
  const to = placed.dtype.toLowerCase() as Dtype;
  const width = shape.at(-1) ?? 1;
  const rowsInAll = sizeBytes / rowBytes(from, width);
  const rowsAtOnce = Math.max(1, Math.floor(PIECE_ELEMENTS / width));
  const source = sources.of(path);
  const running: { readonly bytes: Promise<Uint8Array>; readonly sourceBytes: number }[] = [];
  try {
    for (let row = 0; row < rowsInAll || running.length > 0; ) {
      while (row < rowsInAll && running.length < numThreads) {
        const numRows = Math.min(rowsAtOnce, rowsInAll - row);
        const at = offset + row * rowBytes(from, width);
        const bytes = source.quantize({
          offset: at,
          from,
          to,
          numRows,
          width,
          importance: columns,
        });
        // Its failure is met when its turn comes.
        bytes.catch(() => undefined);
        running.push({ bytes, sourceBytes: numRows * rowBytes(from, width) });
        row += numRows;
      }
      const next = running.shift();
      if (next === undefined) break;
      yield await next.bytes;
      advance(next.sourceBytes);
    }
  } finally {
    // Native code still reads the mapped file.
    await Promise.allSettled(running.map(({ bytes }) => bytes));
  }
}

// ---------------------------------------------------------------------------------- the disk

async function requireSpace(directory: string, layout: GgufLayout, path: string): Promise<void> {
  const info = await statfs(directory);
  if (info.blocks === 0) return;
  const freeBytes = info.bavail * info.bsize;
  const there = (await stat(path).catch(() => undefined))?.size ?? 0;
  const neededBytes = Math.max(0, layout.fileBytes - there) + MARGIN_BYTES;
  if (neededBytes <= freeBytes) return;
  throw new PlatformError(
    "disk_full",
    `The quantized model takes ${gigabytes(layout.fileBytes)}, and ${gigabytes(freeBytes)} are free where ${directory} lies. Make room, or set ATALAYA_HOME to a larger disk.`,
    { details: { neededBytes, freeBytes } },
  );
}

const gigabytes = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;

function asDiskError(error: unknown, root: string): unknown {
  if (error instanceof PlatformError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new PlatformError(
      "disk_full",
      `The disk is full at ${root}. Make room and launch again: what is quantized so far stays.`,
      { cause: error },
    );
  }
  if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) {
    return new PlatformError(
      "cache_unusable",
      `${root}, where quantized models are kept, cannot be used (${code}). See that it is yours to write, or set ATALAYA_HOME to another directory.`,
      { cause: error },
    );
  }
  return error;
}

function shrunk(path: string): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `${basename(path)} became shorter while it was read. Leave the files of a model alone while it is launched.`,
  );
}

/** A renamed directory is safe once its parent is. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
