import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  builtinRegistry,
  fakeEngine,
  findNative,
  noGguf,
  tinyCheckpoint,
} from "../../test/support/serve.ts";
import { createLogger } from "../base/logger.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { RestingModels } from "./resting-models.ts";
import { Supervisor } from "./supervisor.ts";

let supervisor: Supervisor;
let resting: RestingModels;
let numLoaded: number;

beforeEach(async () => {
  numLoaded = 0;
  supervisor = new Supervisor({
    findEngine: findNative(async () => {
      numLoaded++;
      return await fakeEngine("ab");
    }),
    openPipeline: (directory) => Pipeline.open(directory),
    demoDirectory: tinyCheckpoint,
    gguf: noGguf,
    registry: builtinRegistry(),
    locateFiles: async () => undefined,
    log: createLogger("silent"),
  });
  resting = new RestingModels(supervisor);
  await supervisor.launch({
    model: tinyCheckpoint,
    uid: "mine",
    engine: "native",
    profile: "hf",
    maxModelLen: 99,
    maxNumSeqs: undefined,
    kvCacheDtype: undefined,
    numThreads: undefined,
  });
  await supervisor.whenSettled("mine");
});
afterEach(async () => {
  resting[Symbol.dispose]();
  await supervisor[Symbol.asyncDispose]();
});

test("a model at rest is gone, and comes back as it was when it is named", async () => {
  await resting.rest("mine");
  expect(supervisor.list()).toEqual([]);
  expect(resting.list()).toMatchObject([{ uid: "mine", modelName: "tiny-a" }]);
  await Promise.all([resting.wake("mine:latest"), resting.wake("mine"), resting.wake("other")]);
  expect(numLoaded).toBe(2);
  expect(supervisor.get("mine")).toMatchObject({ state: "ready", profile: "hf" });
  expect(supervisor.launchOptionsOf("mine")).toMatchObject({ maxModelLen: 99 });
  expect(resting.list()).toEqual([]);
});

test("who names it while it is being freed waits, and gets it back", async () => {
  const freed = resting.rest("mine");
  await resting.wake("mine");
  await freed;
  expect(supervisor.get("mine").state).toBe("ready");
});

test("who names it when it has ended and does not rest yet gets it back too", async () => {
  let woken: Promise<void> | undefined;
  supervisor.subscribe((change) => {
    if (change.type !== "model-terminated" || change.reason !== "resting") return;
    expect(supervisor.find("mine")).toBeUndefined();
    expect(resting.list()).toMatchObject([{ uid: "mine" }]);
    woken = resting.wake("mine");
  });
  await resting.rest("mine");
  await woken;
  expect(supervisor.get("mine").state).toBe("ready");
});

test("it rests when nobody asked for as long as was said, and not under an answer", async () => {
  const lease = supervisor.lease("mine");
  resting.restAfter("mine", 30);
  expect(resting.restsAt("mine")?.getTime()).toBeGreaterThan(Date.now() - 1_000);
  await sleep(90);
  expect(supervisor.get("mine").state).toBe("ready");
  lease[Symbol.dispose]();
  for (let wait = 0; resting.list().length === 0 && wait < 1_000; wait++) await sleep(10);
  expect(resting.list()).toMatchObject([{ uid: "mine" }]);
});

test("a wish to rest can be taken back", async () => {
  resting.restAfter("mine", 20);
  resting.stayAwake("mine");
  await sleep(60);
  expect(supervisor.get("mine").state).toBe("ready");
  expect(resting.restsAt("mine")).toBeUndefined();
});

test("what is launched again by somebody else rests no longer", async () => {
  const options = supervisor.launchOptionsOf("mine");
  await resting.rest("mine");
  await supervisor.launch(options);
  expect(resting.list()).toEqual([]);
});

test("an alias is one more name of a model, for as long as it is not taken back", async () => {
  supervisor.addAlias("nick", "mine");
  expect(supervisor.get("nick:latest").uid).toBe("mine");
  await resting.rest("mine");
  await resting.wake("nick");
  expect(supervisor.get("nick").state).toBe("ready");
  expect(supervisor.removeAlias("nick")).toBe(true);
  expect(() => supervisor.get("nick")).toThrow(/No model is called "nick"/);
});
