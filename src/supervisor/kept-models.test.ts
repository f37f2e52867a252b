import { describe, expect, test } from "vitest";
import {
  builtinRegistry,
  fakeEngine,
  findNative,
  noGguf,
  tinyCheckpoint,
} from "../../test/support/serve.ts";
import { PlatformError } from "../base/errors.ts";
import { createLogger } from "../base/logger.ts";
import type { EngineLoader } from "../engines/engine.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { StateDatabase } from "../state/state-database.ts";
import { endModel } from "./end-model.ts";
import { type ComebackEvent, KeptModels } from "./kept-models.ts";
import { RestingModels } from "./resting-models.ts";
import { type LaunchOptions, Supervisor } from "./supervisor.ts";

const log = createLogger("silent");
const options = (uid: string, more: Partial<LaunchOptions> = {}): LaunchOptions => ({
  model: tinyCheckpoint,
  uid,
  engine: undefined,
  profile: "ref",
  maxModelLen: undefined,
  maxNumSeqs: undefined,
  kvCacheDtype: undefined,
  numThreads: undefined,
  ...more,
});
const loadFake: EngineLoader = async () => await fakeEngine("x");
const neverAborted = new AbortController().signal;

/** One life of a server on `database`. */
function serverOn(database: StateDatabase, load: EngineLoader = loadFake, pausesMs = [1, 1]) {
  const supervisor = new Supervisor({
    findEngine: findNative(load),
    openPipeline: (directory) => Pipeline.open(directory),
    demoDirectory: tinyCheckpoint,
    gguf: noGguf,
    registry: builtinRegistry(),
    locateFiles: async () => undefined,
    log,
  });
  const resting = new RestingModels(supervisor);
  const kept = new KeptModels({ database, supervisor, resting, log }, { pausesMs });
  const bringBack = async (): Promise<ComebackEvent[]> => {
    const events: ComebackEvent[] = [];
    const onEvent = (event: ComebackEvent): void => void events.push(event);
    await kept.bringBack(await kept.list(), { onEvent, signal: neverAborted });
    return events;
  };
  return {
    supervisor,
    resting,
    kept,
    bringBack,
    [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose](),
  };
}

describe("what should be running", () => {
  test("comes back in order with its options, and what was terminated does not", async () => {
    await using database = StateDatabase.inMemory();
    {
      await using before = serverOn(database);
      for (const [uid, maxModelLen] of [
        ["b", 512],
        ["a", 256],
        ["gone", undefined],
      ] as const) {
        await before.supervisor.launch(options(uid, { maxModelLen }));
        await before.supervisor.whenSettled(uid);
      }
      await endModel("gone", before);
    }
    await using after = serverOn(database);
    const events = await after.bringBack();
    expect(events.map(({ type, uid }) => [type, uid])).toEqual([
      ["ready", "b"],
      ["ready", "a"],
    ]);
    expect(after.supervisor.list().map(({ uid }) => uid)).toEqual(["b", "a"]);
    expect(after.supervisor.launchOptionsOf("b").maxModelLen).toBe(512);
    expect(await after.kept.list()).toHaveLength(2);
  });

  test("is kept before a launch is acknowledged, and not when it cannot be loaded", async () => {
    await using database = StateDatabase.inMemory();
    await using server = serverOn(database, async () => {
      throw new PlatformError("out_of_memory", "No room.");
    });
    await server.supervisor.launch(options("a"));
    expect(await server.kept.list()).toHaveLength(1);
    await server.supervisor.whenSettled("a");
    expect(await server.kept.list()).toEqual([]);
  });

  test("is tried again beside the others, and stays kept when it fails for good", async () => {
    await using database = StateDatabase.inMemory();
    {
      await using before = serverOn(database);
      for (const uid of ["bad", "good"]) {
        await before.supervisor.launch(
          options(uid, { maxModelLen: uid === "bad" ? 64 : undefined }),
        );
        await before.supervisor.whenSettled(uid);
      }
    }
    await using after = serverOn(database, async (engineOptions, hooks) => {
      if (engineOptions.maxModelLen !== 64) return await loadFake(engineOptions, hooks);
      throw new PlatformError("worker_failed", "It died.");
    });
    const events = await after.bringBack();
    expect(events.filter(({ uid }) => uid === "good")).toMatchObject([{ type: "ready" }]);
    expect(events.filter(({ uid }) => uid === "bad")).toMatchObject([
      { type: "failed", retryInMs: 1 },
      { type: "failed", retryInMs: 1 },
      { type: "failed", retryInMs: undefined },
    ]);
    expect((await after.kept.list()).map(({ uid }) => uid)).toEqual(["bad", "good"]);
    await endModel("bad", after);
    expect((await after.kept.list()).map(({ uid }) => uid)).toEqual(["good"]);
  });

  test("rests on when it rested, and wakes when it is named", async () => {
    await using database = StateDatabase.inMemory();
    {
      await using before = serverOn(database);
      await before.supervisor.launch(options("a"));
      await before.supervisor.whenSettled("a");
      await before.resting.rest("a");
    }
    await using after = serverOn(database);
    expect(await after.bringBack()).toEqual([]);
    expect(after.supervisor.list()).toEqual([]);
    expect(after.resting.list()).toMatchObject([{ uid: "a" }]);
    await after.resting.wake("a");
    expect(after.supervisor.get("a").state).toBe("ready");
    expect(await after.kept.list()).toMatchObject([{ uid: "a", isResting: false }]);
    await after.resting.rest("a");
    await endModel("a", after);
    expect(await after.kept.list()).toEqual([]);
    await expect(endModel("a", after)).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("of an earlier command line is forgotten when the next one names its own", async () => {
    await using database = StateDatabase.inMemory();
    await using server = serverOn(database);
    await server.supervisor.launch(options("typed", { origin: "command" }));
    await server.supervisor.launch(options("asked"));
    await server.kept.forgetCommandLine();
    expect((await server.kept.list()).map(({ uid }) => uid)).toEqual(["asked"]);
  });
});

test("a model that nobody asks is freed, and every answer counts", async () => {
  await using database = StateDatabase.inMemory();
  await using server = serverOn(database);
  const resting = new RestingModels(server.supervisor, { idleMs: 150 });
  await server.supervisor.launch(options("a"));
  await server.supervisor.whenSettled("a");
  await new Promise((resolve) => setTimeout(resolve, 100));
  server.supervisor.lease("a")[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(server.supervisor.list()).toHaveLength(1);
  await expect.poll(() => server.supervisor.list()).toEqual([]);
  expect(resting.list()).toMatchObject([{ uid: "a" }]);
});
