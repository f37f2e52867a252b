import { expect, test } from "vitest";
import { EventLog } from "./event-log.ts";
import { StateDatabase } from "./state-database.ts";

test("events come back, the latest first, by whom they are about", async () => {
  await using database = StateDatabase.inMemory();
  const log = new EventLog(database, { now: () => new Date("2026-11-25T12:00:00Z") });
  await log.add({ type: "model-launched", subject: "a", actor: "key-1", details: { size: 11 } });
  await log.add({ type: "model-launched", subject: "b" });
  await log.add({ type: "model-loaded", subject: "a", details: { text: "x".repeat(10_000) } });

  const ofA = await log.list({ subject: "a" });
  expect(ofA.map(({ type }) => type)).toEqual(["model-loaded", "model-launched"]);
  expect(ofA[0]?.details).toEqual({ truncated: true });
  expect(ofA[1]).toEqual({
    id: 1,
    at: new Date("2026-11-25T12:00:00Z"),
    type: "model-launched",
    subject: "a",
    actor: "key-1",
    details: { size: 11 },
  });
  expect(await log.list({ before: 3, limit: 1 })).toMatchObject([{ subject: "b" }]);
});
