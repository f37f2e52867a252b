/**
 * What a picture's tokens follow from beside the picture itself, as one text: the weights of tower and projector, their
 * configuration, how pictures are cut, and with what they are computed.
 *
 * Of each tensor pieces are hashed, as all of them together are 2 GB and a launch has three seconds. The text model is no
 * part of it: a model's quantizations leave the tower as it is, and share what they keep.
 */
import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { openRegularFile, readBytes } from "../../formats/regular-file.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import type { Checkpoint } from "../../models/mllama/checkpoint.ts";

const PIECES = 4;
const PIECE_BYTES = 1_024;

/** @param computedBy versions, dtypes and switches that change the numbers */
export async function towerFingerprint(
  { tensors, config, preprocessor }: Checkpoint,
  computedBy: Readonly<Record<string, unknown>>,
): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([computedBy, config.vision, preprocessor]));
  const own = [...tensors]
    .filter(([name]) => /^(vision_model|multi_modal_projector)\./.test(name))
    // However they are spread over files.
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  await using files = new OpenFiles();
  for (const [name, entry] of own) {
    hash.update(JSON.stringify([name, entry.dtype, entry.shape]));
    await hashPieces(hash, await files.of(entry.path), entry);
  }
  return hash.digest("hex");
}

async function hashPieces(
  hash: Hash,
  file: FileHandle,
  { offset, sizeBytes }: TensorEntry,
): Promise<void> {
  const length = Math.min(PIECE_BYTES, sizeBytes);
  for (let index = 0; index < PIECES; index++) {
    const at = Math.floor(((sizeBytes - length) * index) / (PIECES - 1));
    hash.update(await readBytes(file, { offset: offset + at, sizeBytes: length }));
  }
}

class OpenFiles implements AsyncDisposable {
  readonly #open = new Map<string, FileHandle>();

  async of(path: string): Promise<FileHandle> {
    const file = this.#open.get(path) ?? (await openRegularFile(path));
    this.#open.set(path, file);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#open.values()) await file.close();
  }
}
