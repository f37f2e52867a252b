/**
 * A file that is being downloaded, and the record beside it that says which bytes are safely there.
 *
 * The record is written only after the bytes it speaks of have reached the disk, so it is true whenever
 * the process, or the machine, stops. It names what is downloaded: for anything else it does not count,
 * and neither does one that is damaged.
 */
import { constants } from "node:fs";
import { type FileHandle, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { FileDigest } from "./sources/source.ts";

/** Bytes from `start` up to, not including, `end`. */
export type Part = {
  readonly start: number;
  readonly end: number;
  /** Received, and given to the system. */
  written: number;
  /** Of these, on the disk and in the record. */
  synced: number;
};

export type PartialFileOptions = {
  readonly sizeBytes: number;
  readonly digest: FileDigest;
  /** Into how many parts a new file is divided; one that is there keeps its own. */
  readonly numParts: number;
  /** What a part may have written and not synced. */
  readonly syncBytes: number;
  /** Named moments, for tests that end the process there. */
  readonly onStep?: ((step: string) => void) | undefined;
};

const Record = z.object({
  version: z.literal(1),
  size_bytes: z.int().min(0),
  digest: z.string(),
  parts: z
    .array(z.object({ start: z.int().min(0), end: z.int().min(0), done: z.int().min(0) }))
    .min(1)
    .max(1_000),
});

export const recordPath = (partialPath: string): string => `${partialPath}.json`;

/** How many bytes of a file an earlier download has left. */
export async function bytesLeftBefore(
  path: string,
  expected: Pick<PartialFileOptions, "sizeBytes" | "digest">,
): Promise<number> {
  const parts = await readRecord(path, expected);
  return parts?.reduce((sum, { synced }) => sum + synced, 0) ?? 0;
}

export class PartialFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #options: PartialFileOptions;
  #parts: readonly Part[];
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  private constructor(
    path: string,
    {
      file,
      parts,
      options,
    }: { file: FileHandle; parts: readonly Part[]; options: PartialFileOptions },
  ) {
    this.path = path;
    this.#file = file;
    this.#parts = parts;
    this.#options = options;
  }

  /**
   * What an earlier download left, or a new file.
   *
   * @throws the system's error; among them ELOOP when a link lies there, which is not followed
   */
  static async open(path: string, options: PartialFileOptions): Promise<PartialFile> {
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
    const file = await open(path, O_RDWR | O_CREAT | (O_NOFOLLOW ?? 0), 0o666);
    try {
      const { size } = await file.stat();
      const found = await readRecord(path, options);
      const isThere = found?.every(({ start, synced }) => synced === 0 || start + synced <= size);
      const parts = isThere === true && found !== undefined ? found : split(options);
      if (isThere !== true) await file.truncate(0);
      options.onStep?.("partial-opened");
      return new PartialFile(path, { file, parts, options });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get parts(): readonly Part[] {
    return this.#parts;
  }

  get writtenBytes(): number {
    return this.#parts.reduce((sum, { written }) => sum + written, 0);
  }

  get isWhole(): boolean {
    return this.#parts.every(({ start, end, written }) => written === end - start);
  }

  /** Forget every byte, and go on in `numParts`. No part may be in use. */
  async restart(numParts: number): Promise<void> {
    await this.#settled();
    await rm(recordPath(this.path), { force: true });
    await this.#file.truncate(0);
    this.#parts = split({ ...this.#options, numParts });
  }

  /** The next bytes of a part, which must not be more than it lacks. */
  async write(part: Part, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(
        bytes,
        done,
        bytes.length - done,
        part.start + part.written,
      );
      done += bytesWritten;
      part.written += bytesWritten;
    }
    this.#options.onStep?.("chunk-written");
    if (part.written - part.synced >= this.#options.syncBytes) await this.sync();
  }

  /** Bring what is written to the disk, then into the record. One sync serves all who wait for it. */
  sync(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      this.#running = this.#syncNow();
      return this.#running;
    });
    return this.#next;
  }

  /** From the first byte to the last. */
  async *read(): AsyncGenerator<Uint8Array, void> {
    const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
    for (let position = 0; position < this.#options.sizeBytes; ) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      position += bytesRead;
    }
  }

  /** It stays on the disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settled();
    await this.#file.close();
  }

  async #settled(): Promise<void> {
    await (this.#next ?? this.#running).catch(() => undefined);
  }

  async #syncNow(): Promise<void> {
    const parts = this.#parts;
    const written = parts.map((part) => part.written);
    await this.#file.datasync();
    this.#options.onStep?.("synced");
    await writeRecord(this.path, this.#options, parts, written);
    this.#options.onStep?.("record-written");
    for (const [index, part] of parts.entries()) part.synced = written[index] ?? 0;
  }
}

function split({ sizeBytes, numParts }: { sizeBytes: number; numParts: number }): Part[] {
  const length = Math.ceil(sizeBytes / numParts);
  return Array.from({ length: numParts }, (_, index) => ({
    start: Math.min(index * length, sizeBytes),
    end: Math.min((index + 1) * length, sizeBytes),
    written: 0,
    synced: 0,
  }));
}

async function writeRecord(
  path: string,
  { sizeBytes, digest }: PartialFileOptions,
  parts: readonly Part[],
  written: readonly number[],
): Promise<void> {
  const record: z.infer<typeof Record> = {
    version: 1,
    size_bytes: sizeBytes,
    digest: `${digest.algorithm}:${digest.hex}`,
    parts: parts.map(({ start, end }, index) => ({ start, end, done: written[index] ?? 0 })),
  };
  const final = recordPath(path);
  const temporary = `${final}.tmp`;
  await writeFile(temporary, JSON.stringify(record));
  await rename(temporary, final);
}

/** @returns `undefined` when there is none, it is damaged, or it is of another file */
async function readRecord(
  path: string,
  { sizeBytes, digest }: Pick<PartialFileOptions, "sizeBytes" | "digest">,
): Promise<Part[] | undefined> {
  const text = await readFile(recordPath(path), "utf8").catch(() => "");
  const record = Record.safeParse(parseJson(text)).data;
  if (record?.size_bytes !== sizeBytes) return undefined;
  if (record.digest !== `${digest.algorithm}:${digest.hex}`) return undefined;
  const isSound = record.parts.every(
    ({ start, end, done }, index, parts) =>
      start === (parts[index - 1]?.end ?? 0) && end >= start && done <= end - start,
  );
  if (!isSound || record.parts.at(-1)?.end !== sizeBytes) return undefined;
  return record.parts.map(({ start, end, done }) => ({ start, end, written: done, synced: done }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
