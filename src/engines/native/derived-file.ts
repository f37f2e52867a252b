/**
 * A large file that is made of tensors one after another, and the journal beside it that says which are
 * safely there: whoever makes it may be killed at any moment, and the next goes on where it stood.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, readFile } from "node:fs/promises";
import type { GgufLayout, PlacedTensor } from "../../formats/gguf-layout.ts";
import { readBytes } from "../../formats/regular-file.ts";

const JOURNAL_SUFFIX = ".journal";
/** Written before the disk is waited for: not after every small tensor. */
const SYNC_BYTES = 64 * 1024 * 1024;
const HASH_CHUNK_BYTES = 8 * 1024 * 1024;

export class DerivedFile implements AsyncDisposable {
  /** Hex SHA-256 of each tensor that is there, in order. */
  readonly digests: string[];
  readonly #layout: GgufLayout;
  readonly #file: FileHandle;
  readonly #journal: FileHandle;
  #unsynced: string[] = [];
  #unsyncedBytes = 0;

  private constructor(parts: {
    readonly layout: GgufLayout;
    readonly file: FileHandle;
    readonly journal: FileHandle;
    readonly digests: string[];
  }) {
    this.#layout = parts.layout;
    this.#file = parts.file;
    this.#journal = parts.journal;
    this.digests = parts.digests;
  }

  /** Go on with what is at `path`, as far as it is the beginning of the same file; else begin anew. */
  static async open(path: string, layout: GgufLayout): Promise<DerivedFile> {
    const journalPath = path + JOURNAL_SUFFIX;
    const digests = await soundDigests(path, journalPath, layout);
    const file = await open(path, digests.length > 0 ? "r+" : "w+");
    // What follows is not to be trusted, not even between tensors.
    const last = layout.tensors[digests.length - 1];
    if (last !== undefined) await file.truncate(last.offset + last.sizeBytes);
    const journal = await open(journalPath, "w");
    const derived = new DerivedFile({ layout, file, journal, digests: [] });
    await file.write(layout.head, 0, layout.head.length, 0);
    derived.digests.push(...digests);
    derived.#unsynced = [digestOf(layout.head), ...digests];
    await derived.#sync();
    return derived;
  }

  /**
   * Write the next tensor, in pieces that together are all of it.
   *
   * @param pieces each with its bytes
   */
  async append(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const tensor = this.#layout.tensors[this.digests.length];
    if (tensor === undefined) throw new Error("the file has all of its tensors");
    const hash = createHash("sha256");
    let at = tensor.offset;
    for await (const piece of pieces) {
      hash.update(piece);
      await writeAll(this.#file, piece, at);
      at += piece.length;
    }
    if (at !== tensor.offset + tensor.sizeBytes) {
      throw new Error(`${tensor.name} has ${at - tensor.offset} bytes and not ${tensor.sizeBytes}`);
    }
    const digest = hash.digest("hex");
    this.digests.push(digest);
    this.#unsynced.push(digest);
    this.#unsyncedBytes += tensor.sizeBytes;
    if (this.#unsyncedBytes >= SYNC_BYTES) await this.#sync();
  }

  /** Everything is on the disk when this returns. */
  async finish(): Promise<void> {
    if (this.digests.length < this.#layout.tensors.length) throw new Error("tensors are missing");
    await this.#file.truncate(this.#layout.fileBytes);
    await this.#sync();
    await this.#file.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await this.#journal.close();
  }

  /** First the data, then the lines that speak of them. */
  async #sync(): Promise<void> {
    if (this.#unsynced.length === 0) return;
    await this.#file.datasync();
    await this.#journal.appendFile(`${this.#unsynced.join("\n")}\n`);
    await this.#journal.datasync();
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
  }
}

export const journalOf = (path: string): string => path + JOURNAL_SUFFIX;

/** Those of the tensors, from the first, that are there as the journal says. */
async function soundDigests(
  path: string,
  journalPath: string,
  layout: GgufLayout,
): Promise<string[]> {
  const text = await readFile(journalPath, "utf8").catch(() => "");
  // A line that was being written has no end yet.
  const [head, ...digests] = text.split("\n").slice(0, -1);
  if (head !== digestOf(layout.head)) return [];
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return [];
  try {
    const sound: string[] = [];
    for (const [index, digest] of digests.entries()) {
      const tensor = layout.tensors[index];
      if (tensor === undefined || (await digestInFile(file, tensor)) !== digest) break;
      sound.push(digest);
    }
    return sound;
  } finally {
    await file.close();
  }
}

export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Hex SHA-256 of a tensor's bytes; of what there is of them when the file ends before. */
export async function digestInFile(
  file: FileHandle,
  { offset, sizeBytes }: Pick<PlacedTensor, "offset" | "sizeBytes">,
): Promise<string> {
  const hash = createHash("sha256");
  for (let done = 0; done < sizeBytes; ) {
    const length = Math.min(HASH_CHUNK_BYTES, sizeBytes - done);
    const bytes = await readBytes(file, { offset: offset + done, sizeBytes: length });
    if (bytes.length === 0) break;
    hash.update(bytes);
    done += bytes.length;
  }
  return hash.digest("hex");
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
