import { randomBytes } from "node:crypto";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PictureStore } from "./picture-store.ts";

const SIZE = 1_000;
const entry = (key: string) => ({ key, sizeBytes: SIZE });
const tokens = (seed: number): Uint8Array<ArrayBuffer> => new Uint8Array(SIZE).fill(seed);

async function place() {
  const home = await mkdtemp(join(tmpdir(), "pictures-"));
  const warnings: string[] = [];
  const directory = join(home, "pictures");
  const open = (budgetBytes = 1e6) =>
    new PictureStore({
      directory,
      budgetBytes,
      warn: (_fields, message) => warnings.push(message),
    });
  const files = async (): Promise<string[]> =>
    (await readdir(directory).catch(() => [])).toSorted((a, b) => a.localeCompare(b));
  return {
    directory,
    warnings,
    open,
    files,
    [Symbol.asyncDispose]: async () => {
      await chmod(directory, 0o700).catch(() => undefined);
      await rm(home, { recursive: true, force: true });
    },
  };
}

test("what was kept is there for the next process, for its owner's eyes only", async () => {
  await using at = await place();
  const store = at.open();
  expect(await store.read(entry("a"))).toBeUndefined();
  store.write(entry("a"), tokens(7));
  await store.settle();
  expect(await at.open().read(entry("a"))).toEqual(tokens(7));
  expect(await at.open().read(entry("b"))).toBeUndefined();
  const [file = ""] = await at.files();
  expect((await stat(join(at.directory, file))).mode & 0o777).toBe(0o600);
  expect((await stat(at.directory)).mode & 0o777).toBe(0o700);
  expect(at.warnings).toEqual([]);
});

const damages = {
  "a byte that changed": async (path: string) => {
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = 99;
    await writeFile(path, bytes);
  },
  "a file cut short": (path: string) => truncate(path, 500),
  "an empty file": (path: string) => truncate(path, 0),
  "a file with more behind it": (path: string) => truncate(path, 5_000),
  "something else altogether": (path: string) => writeFile(path, randomBytes(SIZE + 72)),
  "a directory": async (path: string) => {
    await rm(path);
    await mkdir(path);
  },
  "a link that leads elsewhere": async (path: string) => {
    await rm(path);
    await symlink("/dev/zero", path);
  },
};

test.each(Object.entries(damages))("%s is found, told, and dropped", async (_what, damage) => {
  await using at = await place();
  const store = at.open();
  store.write(entry("a"), tokens(7));
  await store.settle();
  const [file = ""] = await at.files();
  await damage(join(at.directory, file));
  expect(await store.read(entry("a"))).toBeUndefined();
  expect(at.warnings).toEqual([
    expect.stringMatching(/^A kept picture was dropped: .*encoded anew/),
  ]);
  expect(await at.files()).toEqual([]);
  store.write(entry("a"), tokens(7));
  await store.settle();
  expect(await store.read(entry("a"))).toEqual(tokens(7));
});

test("an entry under another's name is not taken for it", async () => {
  await using at = await place();
  const store = at.open();
  store.write(entry("a"), tokens(1));
  await store.settle();
  const [a = ""] = await at.files();
  store.write(entry("b"), tokens(2));
  await store.settle();
  const b = (await at.files()).find((file) => file !== a) ?? "";
  await writeFile(join(at.directory, a), await readFile(join(at.directory, b)));
  expect(await store.read(entry("a"))).toBeUndefined();
  expect(at.warnings.join()).toContain("it belongs to another picture");
  expect(await store.read(entry("b"))).toEqual(tokens(2));
});

test("the least recently used goes when the budget is full, and a read is a use", async () => {
  await using at = await place();
  const store = at.open(3 * (SIZE + 72));
  for (const [index, key] of ["a", "b", "c"].entries()) {
    const before = await at.files();
    store.write(entry(key), tokens(index));
    await store.settle();
    const added = (await at.files()).find((file) => !before.includes(file)) ?? "";
    await utimes(join(at.directory, added), 1_000 + index, 1_000 + index);
  }
  await store.read(entry("a"));
  // Another server on the same directory.
  const other = at.open(3 * (SIZE + 72));
  other.write(entry("d"), tokens(9));
  await other.settle();
  const kept = await Promise.all(["a", "b", "c", "d"].map((key) => store.read(entry(key))));
  expect(kept.map((found) => found !== undefined)).toEqual([true, false, true, true]);
  expect(at.warnings).toEqual([]);
});

test("what is larger than the budget is not kept", async () => {
  await using at = await place();
  const store = at.open(SIZE);
  store.write(entry("a"), tokens(1));
  await store.settle();
  expect(await at.files()).toEqual([]);
});

test("two servers write and read the same entries, and neither ever gets a half", async () => {
  await using at = await place();
  const stores = [at.open(5 * (SIZE + 72)), at.open(5 * (SIZE + 72))];
  await Promise.all(
    stores.map(async (store, which) => {
      for (let round = 0; round < 60; round++) {
        const seed = (round * 7 + which) % 9;
        const found = await store.read(entry(`${seed}`));
        if (found !== undefined) expect(found).toEqual(tokens(seed));
        store.write(entry(`${seed}`), tokens(seed));
        await store.settle();
      }
    }),
  );
  expect(at.warnings).toEqual([]);
  const files = await at.files();
  expect(files.every((file) => /^[0-9a-f]{64}\.picture$/.test(file))).toBe(true);
  // Each may have counted before the other wrote.
  expect(files.length).toBeLessThanOrEqual(6);
});

test("what a killed process left unfinished is removed, once it is old", async () => {
  await using at = await place();
  const store = at.open();
  store.write(entry("a"), tokens(1));
  await store.settle();
  const name = "f".repeat(64);
  await writeFile(join(at.directory, `${name}.0123456789abcdef.new`), "half");
  await writeFile(join(at.directory, `${name}.1123456789abcdef.new`), "half");
  await writeFile(join(at.directory, "notes.txt"), "somebody's own");
  await utimes(join(at.directory, `${name}.0123456789abcdef.new`), 1_000, 1_000);
  store.write(entry("b"), tokens(2));
  await store.settle();
  const rest = (await at.files()).filter((file) => !file.endsWith(".picture"));
  expect(rest).toEqual([`${name}.1123456789abcdef.new`, "notes.txt"]);
});

test("a place that cannot be written costs one warning and nothing else", async () => {
  await using at = await place();
  await writeFile(at.directory, "a file where the directory should be");
  const store = at.open();
  for (const key of ["a", "b", "c"]) {
    expect(await store.read(entry(key))).toBeUndefined();
    store.write(entry(key), tokens(1));
    await store.settle();
  }
  expect(at.warnings).toEqual([expect.stringContaining("--picture-cache-disk 0")]);
  // It is told again when it worked in between.
  await rm(at.directory);
  store.write(entry("a"), tokens(1));
  await store.settle();
  expect(await store.read(entry("a"))).toEqual(tokens(1));
  await rm(at.directory, { recursive: true });
  await writeFile(at.directory, "again");
  store.write(entry("b"), tokens(1));
  await store.settle();
  expect(at.warnings).toHaveLength(2);
});

test("no more than two pictures wait for the disk", async () => {
  await using at = await place();
  const store = at.open();
  for (const key of ["a", "b", "c", "d"]) store.write(entry(key), tokens(1));
  await store.settle();
  expect(await at.files()).toHaveLength(2);
});
