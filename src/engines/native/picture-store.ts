/**
 * Pictures' vision tokens on disk: what the tower made of a picture outlives its process.
 *
 * One file a picture, in a directory that several servers may share. An entry is written under another name,
 * flushed and renamed, so it is there whole or not at all; it carries its own name and a digest, so one that is
 * cut short, damaged or put there under a foreign name is found when it is read, and removed. The least recently used go
 * when the budget is full; a read is a use. A disk that is full or cannot be written costs one warning, and no answer.
 */
import { createHash, randomBytes, webcrypto } from "node:crypto";
import { constants } from "node:fs";
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  utimes,
} from "node:fs/promises";
import { join } from "node:path";
import { readBytes } from "../../formats/regular-file.ts";
import type { PictureEntry, PictureKeeper } from "./picture-keeper.ts";

export type PictureStoreOptions = {
  /** Made when it is missing. */
  readonly directory: string;
  /** Of all entries together, those of other models and servers included. */
  readonly budgetBytes: number;
  /** What its operator should know: one line each. */
  readonly warn: (fields: Readonly<Record<string, unknown>>, message: string) => void;
};

const MAGIC = Buffer.from("ATLYPIC1", "latin1");
const DIGEST_BYTES = 32;
/** Magic, the entry's own name, the digest of its tokens. */
const HEADER_BYTES = MAGIC.length + 2 * DIGEST_BYTES;
const SUFFIX = ".picture";
const NAME = /^[0-9a-f]{64}\.picture$/;
/** A name that an entry has until it is whole. */
const UNFINISHED = /^[0-9a-f]{64}\.[0-9a-f]{16}\.new$/;
/** Then whoever wrote it is gone. */
const UNFINISHED_MS = 60 * 60 * 1_000;
/** Never taken from a disk that has no more than this left. */
const MARGIN_BYTES = 256 * 1024 * 1024;
/** Entries that wait for the disk, the one being written included: more would pile up in memory. */
const MAX_WRITES = 2;

type Found = { readonly path: string; readonly sizeBytes: number; readonly usedAt: number };

export class PictureStore implements PictureKeeper {
  readonly #directory: string;
  readonly #budgetBytes: number;
  readonly #warn: PictureStoreOptions["warn"];
  #numWrites = 0;
  /** Ends when the last of them has. */
  #lastWrite: Promise<void> = Promise.resolve();
  /** Told once, until a write succeeds again. */
  #isUnwritable = false;

  constructor({ directory, budgetBytes, warn }: PictureStoreOptions) {
    this.#directory = directory;
    this.#budgetBytes = budgetBytes;
    this.#warn = warn;
  }

  async read({ key, sizeBytes }: PictureEntry): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const name = nameOf(key);
    const path = join(this.#directory, name + SUFFIX);
    let file: FileHandle;
    try {
      // A link would lead out of the directory, and a pipe would keep its reader waiting.
      file = await open(path, constants.O_RDONLY | noFollow | withoutWaiting);
    } catch (error) {
      const code = codeOf(error);
      // A link or a socket; anything else is not there, or no fault of the entry's.
      if (code === "ELOOP" || code === "ENXIO") {
        await this.#drop(path, `it cannot be opened (${code})`);
      }
      return undefined;
    }
    try {
      const fault = await faultOf(file, name, sizeBytes);
      if (typeof fault !== "string") {
        const now = new Date();
        // Its time says when it was last used; where that cannot be written it is only forgotten earlier.
        await utimes(path, now, now).catch(() => undefined);
        return fault.tokens;
      }
      await this.#drop(path, fault);
    } catch (error) {
      await this.#drop(path, `it cannot be read (${codeOf(error)})`);
    } finally {
      await file.close();
    }
    return undefined;
  }

  write({ key, sizeBytes }: PictureEntry, tokens: Uint8Array<ArrayBuffer>): void {
    if (this.#numWrites >= MAX_WRITES || HEADER_BYTES + sizeBytes > this.#budgetBytes) return;
    this.#numWrites++;
    this.#lastWrite = this.#lastWrite
      .then(async () => {
        await this.#writeNow(nameOf(key), tokens);
        this.#isUnwritable = false;
      })
      .catch((error: unknown) => this.#tellUnwritable(error))
      .finally(() => {
        this.#numWrites--;
      });
  }

  async settle(): Promise<void> {
    await this.#lastWrite;
  }

  async #writeNow(name: string, tokens: Uint8Array<ArrayBuffer>): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const sizeBytes = HEADER_BYTES + tokens.length;
    await this.#makeRoom(sizeBytes);
    await requireFree(this.#directory, sizeBytes);
    const unfinished = join(this.#directory, `${name}.${randomBytes(8).toString("hex")}.new`);
    try {
      const header = Buffer.concat([MAGIC, Buffer.from(name, "hex"), await digestOf(tokens)]);
      const file = await open(unfinished, "wx", 0o600);
      try {
        await file.writeFile(header);
        await file.writeFile(tokens);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(unfinished, join(this.#directory, name + SUFFIX));
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw error;
    }
    await syncDirectory(this.#directory);
  }

  /** Remove the least recently used until `wantedBytes` more are within the budget. */
  async #makeRoom(wantedBytes: number): Promise<void> {
    // Looked up anew each time: other servers write here too.
    const entries = await this.#list();
    let usedBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (const { path, sizeBytes } of entries.toSorted((a, b) => a.usedAt - b.usedAt)) {
      if (usedBytes + wantedBytes <= this.#budgetBytes) return;
      await rm(path, { force: true });
      usedBytes -= sizeBytes;
    }
  }

  /** Entries of any model; what was left unfinished long ago is removed on the way. */
  async #list(): Promise<Found[]> {
    const found: Found[] = [];
    for (const file of await readdir(this.#directory)) {
      const isUnfinished = UNFINISHED.test(file);
      if (!NAME.test(file) && !isUnfinished) continue;
      const path = join(this.#directory, file);
      // Another server may have removed it.
      const info = await stat(path).catch(() => undefined);
      if (info === undefined) continue;
      if (isUnfinished && Date.now() - info.mtimeMs > UNFINISHED_MS) {
        await rm(path, { force: true });
        continue;
      }
      // Somebody writes that one now: it takes room, and is not to be removed.
      const usedAt = isUnfinished ? Number.POSITIVE_INFINITY : info.mtimeMs;
      found.push({ path, sizeBytes: info.size, usedAt });
    }
    return found;
  }

  async #drop(path: string, what: string): Promise<void> {
    this.#warn({ path }, `A kept picture was dropped: ${what}. It is encoded anew.`);
    await rm(path, { force: true, recursive: true }).catch(() => undefined);
  }

  #tellUnwritable(error: unknown): void {
    if (this.#isUnwritable) return;
    this.#isUnwritable = true;
    const code = codeOf(error);
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    this.#warn(
      { directory: this.#directory, code },
      isFull
        ? "The disk is full, so pictures are encoded anew after a restart. Make room, or launch with --picture-cache-disk 0."
        : `Encoded pictures cannot be kept (${code}), so they are encoded anew after a restart. See that the directory is yours to write, or launch with --picture-cache-disk 0.`,
    );
  }
}

const noFollow = constants.O_NOFOLLOW ?? 0;
const withoutWaiting = constants.O_NONBLOCK ?? 0;

const nameOf = (key: string): string => createHash("sha256").update(key).digest("hex");

/** Off the event loop: a picture of four tiles is 52 MB. */
async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<Buffer> {
  return Buffer.from(await webcrypto.subtle.digest("SHA-256", bytes));
}

/** The entry's tokens, or what is wrong with it. */
async function faultOf(
  file: FileHandle,
  name: string,
  sizeBytes: number,
): Promise<string | { readonly tokens: Uint8Array<ArrayBuffer> }> {
  const info = await file.stat();
  if (!info.isFile()) return "it is not a file";
  if (info.size !== HEADER_BYTES + sizeBytes) {
    return `it has ${info.size} bytes and not ${HEADER_BYTES + sizeBytes}`;
  }
  const header = Buffer.from(await readBytes(file, { offset: 0, sizeBytes: HEADER_BYTES }));
  const own = header.subarray(MAGIC.length, MAGIC.length + DIGEST_BYTES);
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) return "it is of another form";
  if (own.toString("hex") !== name) return "it belongs to another picture";
  const tokens = await readBytes(file, { offset: HEADER_BYTES, sizeBytes });
  const isWhole = (await digestOf(tokens)).equals(header.subarray(HEADER_BYTES - DIGEST_BYTES));
  return isWhole ? { tokens } : "its contents do not match its digest";
}

/** @throws an error with the code ENOSPC */
async function requireFree(directory: string, sizeBytes: number): Promise<void> {
  const info = await statfs(directory).catch(() => undefined);
  if (info === undefined || info.blocks === 0) return;
  if (info.bavail * info.bsize >= sizeBytes + MARGIN_BYTES) return;
  throw Object.assign(new Error("the disk has too little room"), { code: "ENOSPC" });
}

/** A renamed file is safe once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
