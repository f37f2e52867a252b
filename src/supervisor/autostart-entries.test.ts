import { expect, test } from "vitest";
import { StateDatabase } from "../state/state-database.ts";
import { AutostartEntries, type AutostartEntry, whatStarts } from "./autostart-entries.ts";
import type { KeptModel } from "./kept-models.ts";
import { LaunchHistory } from "./launch-history.ts";
import type { LaunchOptions } from "./launch-options.ts";

const options = { model: "demo", uid: undefined, profile: "ref" } as LaunchOptions;
const entry = (uid: string, more: Partial<AutostartEntry> = {}): AutostartEntry => ({
  uid,
  isEnabled: true,
  priority: 100,
  retry: { count: 3, pauseMs: 1_000 },
  modelName: "demo",
  launch: { model_name: "demo", model_uid: uid },
  options,
  ...more,
});
const kept = (uid: string, isResting = false): KeptModel => ({
  uid,
  origin: "request",
  isResting,
  modelName: "demo",
  directory: "/d",
  options,
});

test("what ran and what is wished start by priority; what is switched off does not", () => {
  const models = whatStarts(
    [kept("ran"), kept("off"), kept("rests", true), kept("first")],
    [
      entry("wished", { priority: 50 }),
      entry("off", { isEnabled: false }),
      entry("never", { isEnabled: false }),
      entry("first", { priority: -1, retry: { count: 0, pauseMs: 0 } }),
      entry("last", { priority: 101 }),
    ],
  );
  expect(models.map(({ uid, isResting }) => [uid, isResting])).toEqual([
    ["first", false],
    ["wished", false],
    ["ran", false],
    ["rests", true],
    ["last", false],
  ]);
  expect(models.map(({ retry }) => retry?.count)).toEqual([0, 3, undefined, undefined, 3]);
});

test("entries are kept as they were sent, one for each uid", async () => {
  await using database = StateDatabase.inMemory();
  const entries = new AutostartEntries(database);
  await entries.save(entry("b"));
  await entries.save(entry("a", { priority: 100 }));
  await entries.save(entry("b", { priority: 7, isEnabled: false }));
  expect(await entries.list()).toEqual([entry("b", { priority: 7, isEnabled: false }), entry("a")]);
  await entries.remove("b");
  await entries.remove("nobody");
  expect((await entries.list()).map(({ uid }) => uid)).toEqual(["a"]);
});

test("each user has a history of launches, which is bounded", async () => {
  await using database = StateDatabase.inMemory();
  const history = new LaunchHistory(database);
  const launch = { modelName: "m", modelUid: "", data: { n_gpu: 1 } };
  await history.save("ann", launch);
  await history.save("ben", { ...launch, data: { n_gpu: 2 } });
  await history.save("ann", { ...launch, modelUid: "u" });
  await history.save("ann", { ...launch, data: [3] });
  expect((await history.list("ann")).map(({ modelUid, data }) => [modelUid, data])).toEqual(
    expect.arrayContaining([
      ["", [3]],
      ["u", { n_gpu: 1 }],
    ]),
  );
  await expect(history.save("ann", { ...launch, data: "x".repeat(70_000) })).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("65536 at most"),
  });
  for (let n = 0; n < 505; n++) await history.save("ann", { ...launch, modelUid: `${n}` });
  expect(await history.list("ann")).toHaveLength(500);
  expect(await history.remove("ann", "m", "504")).toBe(true);
  expect(await history.remove("ann", "m", "504")).toBe(false);
  expect(await history.remove("ann", "m")).toBe(true);
  expect(await history.list("ann")).toEqual([]);
  expect(await history.list("ben")).toHaveLength(1);
});
