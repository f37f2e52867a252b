import type * as Crypto from "node:crypto";
import { timingSafeEqual } from "node:crypto";
import type { KyselyPlugin } from "kysely";
import { expect, test, vi } from "vitest";
import { EventLog } from "../state/event-log.ts";
import { StateDatabase } from "../state/state-database.ts";
import { ApiKeys } from "./api-keys.ts";
import { sha256 } from "./secret.ts";

vi.setConfig({ testTimeout: 120_000 });
vi.mock("node:crypto", async (original) => {
  const real = await original<typeof Crypto>();
  return { ...real, timingSafeEqual: vi.fn(real.timingSafeEqual) };
});

/** All values that a statement is given. */
function valuesIn(node: unknown): unknown[] {
  if (typeof node !== "object" || node === null || ArrayBuffer.isView(node)) return [];
  if ("kind" in node && node.kind === "ValueNode" && "value" in node) return [node.value];
  return Object.values(node).flatMap(valuesIn);
}

test("of a key only the digest is looked for and compared, whichever of its letters are right (AU-03)", async () => {
  await using database = StateDatabase.inMemory();
  const keys = new ApiKeys(database, new EventLog(database));
  const { secret } = await keys.create({ name: "a", permissions: ["models:list"] }, "test");
  const asked: unknown[] = [];
  const record: KyselyPlugin = {
    transformQuery: ({ node }) => {
      asked.push(...valuesIn(node));
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const tables = database.tables.bind(database);
  vi.spyOn(database, "tables").mockImplementation(
    () => tables<object>().withPlugin(record) as never,
  );

  const other = (letter: string | undefined): string => (letter === "A" ? "B" : "A");
  const guesses = [
    `${other(secret[0])}${secret.slice(1)}`,
    `${secret.slice(0, -1)}${other(secret.at(-1))}`,
    secret.slice(0, -1),
    `${secret}A`,
    "x".repeat(4_000),
    "",
  ];
  for (const guess of guesses) expect(await keys.principalOf(guess)).toBe(undefined);
  expect(asked).toEqual(guesses.map((guess) => sha256(guess)));
  expect(timingSafeEqual).not.toHaveBeenCalled();

  asked.length = 0;
  expect(await keys.principalOf(secret)).toMatchObject({ name: "a" });
  expect(asked[0]).toEqual(sha256(secret));
  expect(timingSafeEqual).toHaveBeenCalledOnce();
  for (const [given, kept] of vi.mocked(timingSafeEqual).mock.calls) {
    expect([given.byteLength, kept.byteLength]).toEqual([32, 32]);
  }
});

test("a key ends at its hour, by any clock (AU-08)", async () => {
  await using database = StateDatabase.inMemory();
  const clock = { now: new Date("2026-11-25T12:00:00Z") };
  const keys = new ApiKeys(database, new EventLog(database), () => clock.now);
  const expiresAt = new Date("2026-11-25T13:00:00Z");
  const { secret } = await keys.create({ name: "a", permissions: [], expiresAt }, "test");
  clock.now = new Date("2026-11-25T12:59:59.999Z");
  expect(await keys.principalOf(secret)).toBeDefined();
  clock.now = expiresAt;
  expect(await keys.principalOf(secret)).toBe(undefined);
});
