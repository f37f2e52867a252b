import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { theProgram } from "../base/viewer.ts";
import { StateDatabase } from "../state/state-database.ts";
import { FileStore } from "./file-store.ts";

let directory: string;
let database: StateDatabase;
let now = 0;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atalaya-test-"));
  database = StateDatabase.inMemory();
  now = 1_700_000_000_000;
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const open = (limits = { maxFileBytes: 100, maxTotalBytes: 150 }): FileStore =>
  new FileStore(database, { directory: join(directory, "files"), limits, now: () => now });

async function* chunks(...texts: string[]): AsyncGenerator<string> {
  yield* texts;
}

const newFile = (...texts: string[]) => ({
  bytes: chunks(...texts),
  filename: "../../etc/passwd",
  owner: null,
  notes: { purpose: "batch" },
});

async function textOf(store: FileStore, id: string): Promise<string> {
  const all: Buffer[] = [];
  for await (const chunk of await store.read(id, theProgram)) all.push(chunk);
  return Buffer.concat(all).toString();
}

const onDisk = async (): Promise<string[]> => (await readdir(join(directory, "files"))).toSorted();

describe("a file", () => {
  test("is kept under a name of ours, readable by its owner alone, and read again", async () => {
    const store = open();
    const file = await store.create(newFile("one ", "two"));
    expect(file).toMatchObject({ filename: "../../etc/passwd", purpose: "batch", sizeBytes: 7 });
    expect(file.id).toMatch(/^file-[0-9a-f]{32}$/);
    expect(await onDisk()).toEqual([file.id]);
    expect((await stat(join(directory, "files", file.id))).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, "files"))).mode & 0o777).toBe(0o700);
    expect(await textOf(store, file.id)).toBe("one two");
  });

  test("is found by no other name", async () => {
    const store = open();
    await store.create(newFile("x"));
    for (const id of ["../state.db", "..%2f..", "file-", "", "file-\u0000"]) {
      await expect(store.get(id, theProgram)).rejects.toMatchObject({ code: "not_found" });
      await expect(store.read(id, theProgram)).rejects.toMatchObject({ code: "not_found" });
      await expect(store.delete(id, theProgram)).rejects.toMatchObject({ code: "not_found" });
    }
  });

  test("is gone, with its bytes, when it is deleted", async () => {
    const store = open();
    const { id } = await store.create(newFile("x"));
    await store.delete(id, theProgram);
    await expect(store.get(id, theProgram)).rejects.toMatchObject({ code: "not_found" });
    expect(await onDisk()).toEqual([]);
  });

  test("is gone when it has expired", async () => {
    const store = open();
    const { id } = await store.create({
      ...newFile("x"),
      notes: { purpose: "batch", expiresAfterSeconds: 60 },
    });
    now += 59_000;
    expect((await store.get(id, theProgram)).expiresAt).toBe(1_700_000_060);
    now += 1_000;
    await expect(store.get(id, theProgram)).rejects.toMatchObject({ code: "not_found" });
    expect((await store.list({ viewer: theProgram, limit: 10, order: "asc" })).files).toEqual([]);
    expect(await onDisk()).toEqual([]);
  });

  test("takes the place of one with its id", async () => {
    const store = open();
    const id = FileStore.newId();
    await store.create({ ...newFile("first"), id });
    await store.create({ ...newFile("second"), id });
    expect(await textOf(store, id)).toBe("second");
    expect((await store.list({ viewer: theProgram, limit: 10, order: "asc" })).files).toHaveLength(
      1,
    );
  });
});

describe("what is too much", () => {
  test("is refused while it comes, and leaves nothing", async () => {
    const store = open();
    let numTaken = 0;
    async function* endless(): AsyncGenerator<string> {
      for (;;) {
        numTaken += 1;
        yield "x".repeat(40);
      }
    }
    const tooLarge = store.create({ ...newFile(), bytes: endless() });
    await expect(tooLarge).rejects.toMatchObject({ code: "file_too_large" });
    expect(numTaken).toBe(3);
    expect(await onDisk()).toEqual([]);
    await store.create(newFile("x".repeat(90)));
    await expect(store.create(newFile("x".repeat(90)))).rejects.toMatchObject({
      code: "disk_full",
    });
    await store.create(newFile("x".repeat(60)));
    expect(await onDisk()).toHaveLength(2);
  });

  test("is nothing of what was given up: a sender that fails leaves room", async () => {
    const store = open();
    async function* broken(): AsyncGenerator<string> {
      yield "x".repeat(90);
      throw new Error("hung up");
    }
    await expect(store.create({ ...newFile(), bytes: broken() })).rejects.toThrow("hung up");
    expect(await onDisk()).toEqual([]);
    await store.create(newFile("x".repeat(90)));
  });
});

test("files are listed page by page, in either order, by purpose", async () => {
  const store = open();
  const ids: string[] = [];
  for (const purpose of ["batch", "vision", "batch"]) {
    ids.push((await store.create({ ...newFile("x"), notes: { purpose } })).id);
  }
  const [a = "", b = "", c = ""] = ids;
  const list = async (options: Partial<Parameters<FileStore["list"]>[0]>) => {
    const { files, hasMore } = await store.list({
      viewer: theProgram,
      limit: 10,
      order: "desc",
      ...options,
    });
    return { ids: files.map(({ id }) => id), hasMore };
  };
  expect(await list({})).toEqual({ ids: [c, b, a], hasMore: false });
  expect(await list({ limit: 2 })).toEqual({ ids: [c, b], hasMore: true });
  expect(await list({ limit: 2, after: b })).toEqual({ ids: [a], hasMore: false });
  expect(await list({ order: "asc", after: a })).toEqual({ ids: [b, c], hasMore: false });
  expect(await list({ purpose: "vision" })).toEqual({ ids: [b], hasMore: false });
});

test("what a crash left half done is cleared, and nothing else", async () => {
  const { id } = await open().create(newFile("x"));
  const strays = [`file-${"0".repeat(32)}`, `file-${"1".repeat(32)}.part`, "notes.txt"];
  for (const name of strays) await writeFile(join(directory, "files", name), "");
  const again = open();
  expect(await textOf(again, id)).toBe("x");
  expect(await onDisk()).toEqual([id, "notes.txt"].toSorted());
});

test("without a directory it uses a temporary one, and takes it along", async () => {
  const before = await readdir(tmpdir());
  {
    await using store = new FileStore(database);
    const { id } = await store.create(newFile("x"));
    expect(await textOf(store, id)).toBe("x");
  }
  const left = (await readdir(tmpdir())).filter(
    (name) => name.startsWith("atalaya-files-") && !before.includes(name),
  );
  expect(left).toEqual([]);
});
