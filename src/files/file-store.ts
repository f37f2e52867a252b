/**
 * Files that clients sent and batches made: bytes in a directory under names of ours, the rest in the
 * state. A file is there when both are; what a crash left half done is cleared at the next start.
 */
import { randomBytes } from "node:crypto";
import { createReadStream, type ReadStream } from "node:fs";
import { type FileHandle, mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addAbortSignal } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Selectable } from "kysely";
import { PlatformError } from "../base/errors.ts";
import type { Owner, Viewer } from "../base/viewer.ts";
import { seenBy } from "../state/seen-by.ts";
import type { StateDatabase } from "../state/state-database.ts";
import type { FilesTable, FilesTables } from "../state/tables/files.ts";

export type StoredFile = {
  readonly id: string;
  /** What its owner calls it; never a path here. */
  readonly filename: string;
  readonly purpose: string;
  readonly sizeBytes: number;
  /** Seconds since 1970, as the next. */
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
};

export type NewFile = {
  readonly bytes: AsyncIterable<Uint8Array | string>;
  readonly filename: string;
  readonly owner: Owner;
  /** Takes the place of a file with this id; a new id when absent. */
  readonly id?: string;
  /** As a function where they are known only once all bytes were read. */
  readonly notes: FileNotes | (() => Promise<FileNotes>);
};

export type FileNotes = {
  readonly purpose: string;
  readonly expiresAfterSeconds?: number | undefined;
};

export type FileLimits = {
  /** Of one file. */
  readonly maxFileBytes: number;
  /** Of all together, those under way included. */
  readonly maxTotalBytes: number;
};

export const defaultFileLimits: FileLimits = {
  maxFileBytes: 200 * 1024 * 1024,
  maxTotalBytes: 10 * 1024 * 1024 * 1024,
};

export class FileStore implements AsyncDisposable {
  readonly #database: StateDatabase;
  readonly #limits: FileLimits;
  readonly #now: () => number;
  readonly #directory: string | undefined;
  #ready: Promise<string> | undefined;
  /** Bytes of files that are being written. */
  #underWay = 0;

  /** @param options.directory absolute; a temporary one, which goes with the store, when absent */
  constructor(
    database: StateDatabase,
    {
      directory,
      limits = defaultFileLimits,
      now = () => Date.now(),
    }: {
      readonly directory?: string | undefined;
      readonly limits?: FileLimits;
      readonly now?: () => number;
    } = {},
  ) {
    this.#database = database;
    this.#directory = directory;
    this.#limits = limits;
    this.#now = now;
  }

  static newId(): string {
    return `file-${randomBytes(16).toString("hex")}`;
  }

  /**
   * Write a file; it is listed when all of it is on the disk.
   *
   * @throws PlatformError `file_too_large`, `disk_full`, and what `bytes` and `notes` throw
   */
  async create({ id = FileStore.newId(), ...file }: NewFile): Promise<StoredFile> {
    const directory = await this.#open();
    await this.sweep();
    const part = join(directory, `${id}.part`);
    let sizeBytes = 0;
    try {
      const handle = await open(part, "w", 0o600);
      try {
        const total = await this.#totalBytes();
        for await (const chunk of file.bytes) {
          const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
          sizeBytes += bytes.length;
          this.#underWay += bytes.length;
          this.#refuseTooMuch(sizeBytes, total + this.#underWay);
          await handle.writeFile(bytes);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      const notes = typeof file.notes === "function" ? await file.notes() : file.notes;
      await rename(part, join(directory, id));
      await syncDirectory(directory);
      const { filename, owner } = file;
      return await this.#insert({ ...notes, filename, owner, id, sizeBytes });
    } catch (error) {
      await rm(part, { force: true });
      throw shown(error);
    } finally {
      this.#underWay -= sizeBytes;
    }
  }

  /** @throws PlatformError `not_found`, when it is another's too */
  async get(id: string, viewer: Viewer): Promise<StoredFile> {
    const row = await this.#tables
      .selectFrom("files")
      .selectAll()
      .where("id", "=", id)
      .where(seenBy(viewer))
      .executeTakeFirst();
    if (row === undefined || isExpired(row, this.#seconds())) throw noSuchFile();
    return toStoredFile(row);
  }

  /**
   * Its bytes, from the beginning.
   *
   * @throws PlatformError `not_found`
   */
  async read(id: string, viewer: Viewer): Promise<ReadStream> {
    // A name out of the database is one of ours, and so no path to anywhere else.
    const file = await this.get(id, viewer);
    const stream = createReadStream(join(await this.#open(), file.id));
    await new Promise<void>((resolve, reject) => {
      stream.once("open", () => resolve());
      stream.once("error", () => reject(noSuchFile()));
    });
    return stream;
  }

  /**
   * All its bytes at once.
   *
   * @throws PlatformError `not_found`, `invalid_image` when there are more than `maxBytes`
   */
  async readPicture(
    id: string,
    {
      viewer,
      maxBytes,
      signal,
    }: { readonly viewer: Viewer; readonly maxBytes: number; readonly signal: AbortSignal },
  ): Promise<Uint8Array> {
    const { sizeBytes } = await this.get(id, viewer);
    if (sizeBytes > maxBytes) {
      throw new PlatformError(
        "invalid_image",
        `The file has ${sizeBytes} bytes; a picture has ${maxBytes} at most. Make it smaller: the model looks at no more than 4 tiles of it.`,
      );
    }
    return await buffer(addAbortSignal(signal, await this.read(id, viewer)));
  }

  /** @param options.after the id of a file: those behind it in this order */
  async list({
    viewer,
    purpose,
    after,
    limit,
    order,
  }: {
    readonly viewer: Viewer;
    readonly purpose?: string | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
    readonly order: "asc" | "desc";
  }): Promise<{ readonly files: readonly StoredFile[]; readonly hasMore: boolean }> {
    await this.sweep();
    const seen = seenBy(viewer);
    let query = this.#tables.selectFrom("files").selectAll().where(seen).orderBy("seq", order);
    if (purpose !== undefined) query = query.where("purpose", "=", purpose);
    if (after !== undefined) {
      const file = this.#tables.selectFrom("files").where("id", "=", after);
      // A place behind another's file would tell that it is there, and when it was sent.
      const seq = file.select("seq").where(seen);
      query = query.where("seq", order === "asc" ? ">" : "<", seq);
    }
    const rows = await query.limit(limit + 1).execute();
    return { files: rows.slice(0, limit).map(toStoredFile), hasMore: rows.length > limit };
  }

  /** @throws PlatformError `not_found` */
  async delete(id: string, viewer: Viewer): Promise<void> {
    await this.get(id, viewer);
    await this.#forget([id]);
  }

  /** Delete what has expired. */
  async sweep(): Promise<void> {
    const expired = await this.#tables
      .selectFrom("files")
      .select("id")
      .where("expires_at", "<=", this.#seconds())
      .execute();
    await this.#forget(expired.map(({ id }) => id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#directory !== undefined || this.#ready === undefined) return;
    await rm(await this.#ready, { recursive: true, force: true });
  }

  /** The row goes first: a file without one is cleared at the next start. */
  async #forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const directory = await this.#open();
    await this.#tables.deleteFrom("files").where("id", "in", ids).execute();
    for (const id of ids) await rm(join(directory, id), { force: true });
  }

  async #insert(
    file: FileNotes & Pick<NewFile, "owner"> & Pick<StoredFile, "id" | "filename" | "sizeBytes">,
  ): Promise<StoredFile> {
    const { id, filename, owner, purpose, sizeBytes, expiresAfterSeconds } = file;
    const createdAt = this.#seconds();
    const values = {
      owner,
      filename,
      purpose,
      size_bytes: sizeBytes,
      created_at: createdAt,
      expires_at: expiresAfterSeconds === undefined ? null : createdAt + expiresAfterSeconds,
    };
    await this.#tables
      .insertInto("files")
      .values({ id, ...values })
      .onConflict((conflict) => conflict.column("id").doUpdateSet(values))
      .execute();
    return toStoredFile({ id, ...values });
  }

  #refuseTooMuch(sizeBytes: number, totalBytes: number): void {
    const { maxFileBytes, maxTotalBytes } = this.#limits;
    if (sizeBytes > maxFileBytes) {
      throw new PlatformError(
        "file_too_large",
        `The file is larger than ${mebibytes(maxFileBytes)}. Send it in parts.`,
        { details: { param: "file" } },
      );
    }
    if (totalBytes > maxTotalBytes) {
      throw new PlatformError(
        "disk_full",
        `Kept files may take ${mebibytes(maxTotalBytes)} together, and this one is too much. Delete some with DELETE /v1/files/{id}.`,
      );
    }
  }

  async #totalBytes(): Promise<number> {
    const row = await this.#tables
      .selectFrom("files")
      .select((eb) => eb.fn.sum<number | null>("size_bytes").as("total"))
      .executeTakeFirst();
    return row?.total ?? 0;
  }

  async #open(): Promise<string> {
    this.#ready ??= this.#prepare();
    return await this.#ready;
  }

  /** Make the directory, and clear it of what no row speaks of. */
  async #prepare(): Promise<string> {
    if (this.#directory === undefined) return await mkdtemp(join(tmpdir(), "atalaya-files-"));
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const known = await this.#tables.selectFrom("files").select("id").execute();
    const names = new Set(known.map(({ id }) => id));
    for (const name of await readdir(this.#directory)) {
      const isOurs = /^file-[0-9a-f]{32}(\.part)?$/.test(name);
      if (isOurs && !names.has(name)) await rm(join(this.#directory, name), { force: true });
    }
    return this.#directory;
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1_000);
  }

  get #tables() {
    return this.#database.tables<FilesTables>();
  }
}

function isExpired({ expires_at: at }: { readonly expires_at: number | null }, now: number) {
  return at !== null && at <= now;
}

function toStoredFile(row: Omit<Selectable<FilesTable>, "seq" | "owner">): StoredFile {
  return {
    id: row.id,
    filename: row.filename,
    purpose: row.purpose,
    sizeBytes: row.size_bytes,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
  };
}

/** A rename is on the disk when its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open directories, and has no such promise.
  if (process.platform === "win32") return;
  let handle: FileHandle | undefined;
  try {
    handle = await open(directory);
    await handle.sync();
  } finally {
    await handle?.close();
  }
}

function shown(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new PlatformError(
    "disk_full",
    "The file cannot be kept: the disk is full. Make room, or delete files with DELETE /v1/files/{id}.",
    { cause: error },
  );
}

function noSuchFile(): PlatformError {
  return new PlatformError(
    "not_found",
    "There is no such file. It was deleted, has expired, or never was: GET /v1/files lists those that are there.",
    { details: { param: "file_id" } },
  );
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toLocaleString("en-US")} MiB`;
}
