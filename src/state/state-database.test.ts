import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Migration } from "./migration.ts";
import { ConstraintError, StateDatabase } from "./state-database.ts";

const first: Migration = {
  name: "things-1",
  sql: "CREATE TABLE things (name TEXT PRIMARY KEY, bytes BLOB) STRICT",
};
const second: Migration = { name: "things-2", sql: "ALTER TABLE things ADD COLUMN size INTEGER" };
type Things = { things: { name: string; bytes: Uint8Array | null; size?: number | null } };

let directory = "";
let file = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atalaya-state-"));
  file = join(directory, "state.db");
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

async function open(
  migrations: readonly Migration[],
  { version = "1.0.0", mayMigrate = true } = {},
): Promise<StateDatabase> {
  return await StateDatabase.open({ file, migrations, version, mayMigrate });
}

describe("the state database", () => {
  test("keeps what it was told, bytes too, under a mode for its owner", async () => {
    const bytes = Uint8Array.of(0, 255, 7);
    {
      await using database = await open([first]);
      await database.tables<Things>().insertInto("things").values({ name: "a", bytes }).execute();
    }
    await using database = await open([first]);
    expect(await database.tables<Things>().selectFrom("things").selectAll().execute()).toEqual([
      { name: "a", bytes },
    ]);
    for (const name of await readdir(directory)) {
      expect((await stat(join(directory, name))).mode & 0o777, name).toBe(0o600);
    }
  });

  test("says which rule a statement breaks, and goes on", async () => {
    await using database = await open([first]);
    const insert = database
      .tables<Things>()
      .insertInto("things")
      .values({ name: "a", bytes: null });
    await insert.execute();
    await expect(insert.execute()).rejects.toThrow(ConstraintError);
    await insert.onConflict((conflict) => conflict.doNothing()).execute();
  });

  test("is asked by bytes alone, and survives what is no value", async () => {
    await using database = await open([first]);
    const things = database.tables<Things>();
    const bytes = new Uint8Array(32).fill(7);
    await things.insertInto("things").values({ name: "\ud800\u0000é", bytes }).execute();
    const found = things.selectFrom("things").select("name").where("bytes", "=", bytes);
    expect(await found.execute()).toHaveLength(1);
    const wrong = sql`SELECT ${{ a: 1 }}`.execute(things);
    await expect(wrong).rejects.toMatchObject({ code: "state_unusable" });
    expect(await found.execute()).toHaveLength(1);
  });

  test("does a transaction whole or not at all, while others wait", async () => {
    await using database = await open([first]);
    const tables = database.tables<Things>();
    const failing = tables.transaction().execute(async (within) => {
      await within.insertInto("things").values({ name: "a", bytes: null }).execute();
      throw new Error("changed my mind");
    });
    const other = tables.insertInto("things").values({ name: "b", bytes: null }).execute();
    await expect(failing).rejects.toThrow("changed my mind");
    await other;
    const names = await tables.selectFrom("things").select("name").execute();
    expect(names).toEqual([{ name: "b" }]);
  });

  test("waits for another program without holding up this one", async () => {
    await using mine = await open([first]);
    await using theirs = await open([first]);
    let isWritten = false;
    await theirs
      .tables<Things>()
      .transaction()
      .execute(async (within) => {
        await within.insertInto("things").values({ name: "a", bytes: null }).execute();
        const writing = mine
          .tables<Things>()
          .insertInto("things")
          .values({ name: "b", bytes: null });
        void writing.execute().then(() => {
          isWritten = true;
        });
        const startedAt = performance.now();
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(performance.now() - startedAt).toBeLessThan(2_000);
        expect(isWritten).toBe(false);
      });
    await expect.poll(() => isWritten).toBe(true);
  });

  test("is upgraded, and a copy from before stays beside it", async () => {
    {
      await using old = await open([first]);
      await old.tables<Things>().insertInto("things").values({ name: "a", bytes: null }).execute();
    }
    {
      await using database = await open([first, second], { version: "2.0.0" });
      const rows = await database.tables<Things>().selectFrom("things").selectAll().execute();
      expect(rows).toEqual([{ name: "a", bytes: null, size: null }]);
    }
    const copy = (await readdir(directory)).find((name) => name.includes("-before-"));
    expect(copy).toMatch(/^state-before-.*-1\.0\.0\.db$/);
    expect((await stat(join(directory, copy ?? ""))).mode & 0o777).toBe(0o600);
    file = join(directory, copy ?? "");
    await using before = await open([first]);
    const rows = await before.tables<Things>().selectFrom("things").selectAll().execute();
    expect(rows).toEqual([{ name: "a", bytes: null }]);
  });

  test("of a newer program is refused, with both versions", async () => {
    await (await open([first, second], { version: "2.0.0" }))[Symbol.asyncDispose]();
    await expect(open([first], { version: "1.0.0" })).rejects.toMatchObject({
      code: "state_unusable",
      message: expect.stringMatching(
        /changed by Atalaya 2\.0\.0 and has "things-2", which .* 1\.0\.0/,
      ),
    });
  });

  test("is not changed under a running server of another version", async () => {
    await (await open([first]))[Symbol.asyncDispose]();
    await expect(open([first, second], { mayMigrate: false })).rejects.toMatchObject({
      code: "state_unusable",
      message: expect.stringMatching(/Restart the server with this version first/),
    });
  });

  test("whose migration fails is as before", async () => {
    await (await open([first]))[Symbol.asyncDispose]();
    const broken: Migration = { name: "things-2", sql: "CREATE TABLE more (x); SELEC 1" };
    await expect(open([first, broken])).rejects.toThrow();
    await using database = await open([first]);
    const tables = sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'table'`;
    const { rows } = await tables.execute(database.tables());
    expect(rows.map(({ name }) => name)).toEqual(["migrations", "things"]);
  });

  test.each([
    { why: "no database", damage: async () => await writeFile(file, "x".repeat(5_000)) },
    { why: "empty", damage: async () => await truncate(file, 0) },
    {
      why: "cut short",
      damage: async () => await truncate(file, (await stat(file)).size - 4_096),
    },
    {
      why: "overwritten in the middle",
      damage: async () => {
        const bytes = await readFile(file);
        await writeFile(file, bytes.fill(0xff, 4_096, 8_000));
      },
    },
  ])("that is $why is refused and left as it is (RL-03)", async ({ damage }) => {
    {
      await using database = await open([first]);
      await database
        .tables<Things>()
        .insertInto("things")
        .values({ name: "a", bytes: null })
        .execute();
    }
    await damage();
    const before = await readFile(file);
    await expect(open([first])).rejects.toMatchObject({
      code: "state_unusable",
      message: expect.stringMatching(/is damaged, and is not replaced by an empty one/),
    });
    expect(await readFile(file)).toEqual(before);
  });

  test("says that the disk is full, and goes on when there is room (G-08)", async () => {
    await using database = await open([first]);
    const tables = database.tables<Things>();
    await sql`PRAGMA max_page_count = 8`.execute(tables);
    const tooMuch = tables
      .insertInto("things")
      .values({ name: "a", bytes: new Uint8Array(100_000) });
    await expect(
      tables.transaction().execute(async (within) => {
        await within.insertInto("things").values({ name: "b", bytes: null }).execute();
        await within
          .insertInto("things")
          .values({ name: "a", bytes: new Uint8Array(100_000) })
          .execute();
      }),
    ).rejects.toMatchObject({ code: "disk_full", message: expect.stringMatching(/disk is full/) });
    await expect(tooMuch.execute()).rejects.toMatchObject({ code: "disk_full" });
    await sql`PRAGMA max_page_count = 100000`.execute(tables);
    await tooMuch.execute();
    expect(await tables.selectFrom("things").select("name").execute()).toEqual([{ name: "a" }]);
  });

  test("in memory needs no file", async () => {
    await using database = StateDatabase.inMemory();
    await sql`CREATE TABLE t (x)`.execute(database.tables());
    expect(await readdir(directory)).toEqual([]);
  });
});
