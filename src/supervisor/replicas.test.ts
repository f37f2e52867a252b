import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { FakeEngine } from "../../test/support/fake-engine.ts";
import { greedily } from "../../test/support/native-engine.ts";
import { fakeEngine, tinyCheckpoint } from "../../test/support/serve.ts";
import { PlatformError } from "../base/errors.ts";
import { tokenId } from "../base/ids.ts";
import type { Engine, EngineLoader, EngineLoadOptions, LoadProgress } from "../engines/engine.ts";
import type { EnginePrompt, Picture } from "../generation/engine-prompt.ts";
import { Replicas } from "./replicas.ts";

const options: EngineLoadOptions = {
  directory: tinyCheckpoint,
  profile: "ref",
  maxModelLen: undefined,
  maxNumSeqs: undefined,
  kvCacheDtype: undefined,
  numThreads: undefined,
};
const hooks = {
  signal: new AbortController().signal,
  onProgress: () => undefined,
  onLog: () => undefined,
};
const sampling = greedily(100);
const noPrompt: EnginePrompt = { tokenIds: [tokenId(1)], pictures: [] };
const { signal } = new AbortController();

function replicasOf(count: number, requestLimit?: number): Replicas {
  return new Replicas(
    { uid: "m", count, aliases: ["first"], requestLimit },
    { onLog: () => undefined, onUnexpectedEnd: () => undefined },
  );
}

/** Each is an engine of its own that says `text`, slowly. */
async function started(
  count: number,
  { requestLimit, text = "x".repeat(20) }: { requestLimit?: number; text?: string } = {},
): Promise<{ replicas: Replicas; engines: FakeEngine[] }> {
  const engines: FakeEngine[] = [];
  let numAsked = 0;
  const load: EngineLoader = async () => {
    // In the order of their replicas, whichever is there first.
    const place = numAsked++;
    const engine = await fakeEngine({ text, tokenDelayMs: 5 });
    engines[place] = engine;
    return engine;
  };
  const replicas = replicasOf(count, requestLimit);
  await replicas.loader(load)(options, hooks);
  // Each has made a token, to see that it can.
  for (const { requests } of engines) expect(requests.splice(0)).toHaveLength(1);
  return { replicas, engines };
}

async function ask(engine: Engine, prompt = noPrompt): Promise<number> {
  let numTokens = 0;
  for await (const event of engine.generate(prompt, { sampling, signal })) {
    if (event.type === "token") numTokens++;
  }
  return numTokens;
}

const pictured = (contentHash: string): EnginePrompt => {
  const picture: Picture = { width: 1, height: 1, pixels: new Uint8Array(3), contentHash };
  return { tokenIds: [tokenId(1), tokenId(256)], pictures: [picture] };
};

test("answers at the same time are spread over all", async () => {
  const { replicas, engines } = await started(3);
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask(replicas)));
  expect(answers).toEqual([20, 20, 20, 20, 20, 20]);
  expect(engines.map(({ requests }) => requests.length)).toEqual([2, 2, 2]);
});

test("idle replicas take turns, and one that knows a picture gets it again", async () => {
  const { replicas, engines } = await started(2, { text: "x" });
  for (let turn = 0; turn < 4; turn++) await ask(replicas);
  expect(engines.map(({ requests }) => requests.length)).toEqual([2, 2]);
  for (let turn = 0; turn < 3; turn++) await ask(replicas, pictured("a"));
  expect(Math.max(...engines.map(({ requests }) => requests.length))).toBe(5);
});

test("one that cannot answer is passed over; only when none can, that is the model's problem", async () => {
  const { replicas, engines } = await started(2, { text: "x" });
  const [first, second] = engines;
  if (first === undefined || second === undefined) throw new Error("two were started");
  const problem = new PlatformError("worker_failed", "It keeps dying.");
  Object.assign(first, { problem: () => problem });
  for (let turn = 0; turn < 3; turn++) await ask(replicas);
  expect(first.requests).toHaveLength(0);
  expect(replicas.problem()).toBeUndefined();
  expect(replicas.list().map(({ error }) => error)).toEqual([problem, undefined]);
  Object.assign(second, { problem: () => problem });
  expect(replicas.problem()).toBe(problem);
  await expect(ask(replicas)).rejects.toBe(problem);
});

test("one more is started while the others answer, and is asked next", async () => {
  const { replicas, engines } = await started(1);
  const answer = ask(replicas);
  const record = await replicas.add("second");
  expect(record).toMatchObject({ id: 1, alias: "second", state: "ready" });
  await ask(replicas);
  expect(engines[1]?.requests).toHaveLength(2);
  expect(await answer).toBe(20);
});

test("one is taken away once its answers have ended; new ones go elsewhere at once", async () => {
  const { replicas, engines } = await started(2);
  const [first, second] = [ask(replicas), ask(replicas)];
  await sleep(10);
  const removed = replicas.remove(0, { drainMs: 60_000 });
  expect(replicas.list().map(({ state }) => state)).toEqual(["stopping", "ready"]);
  await ask(replicas);
  expect(await Promise.all([first, second])).toEqual([20, 20]);
  expect(await removed).toBe(1);
  expect(engines.map(({ isDisposed }) => isDisposed)).toEqual([true, false]);
  expect(engines.map(({ requests }) => requests.length)).toEqual([1, 2]);
  expect((await replicas.add()).id).toBe(2);
  await expect(replicas.remove(0, { drainMs: 0 })).rejects.toThrow(
    'The model "m" has no replica 0; it has 1, 2.',
  );
});

test("an answer that outlasts a removed replica's patience is told why", async () => {
  const { replicas } = await started(2, { text: "x".repeat(1_000) });
  const answer = ask(replicas);
  await sleep(10);
  await Promise.all([
    expect(answer).rejects.toThrow("The replica was removed before the answer was complete."),
    replicas.remove(0, { drainMs: 1 }),
  ]);
});

test("a replica is ready once it made a token; one that makes none is not, and is freed", async () => {
  const replicas = replicasOf(1);
  const silent = await fakeEngine("");
  await replicas.loader(async () => await fakeEngine("a"))(options, hooks);
  const mute = replicasOf(2);
  await expect(mute.loader(async () => silent)(options, { ...hooks })).rejects.toMatchObject({
    code: "worker_failed",
  });
  expect(silent.isDisposed).toBe(true);
  expect(mute.list().map(({ state }) => state)).not.toContain("ready");
});

test("who asks is told which replica answers, and the sum of what all know is kept", async () => {
  const { replicas, engines } = await started(2);
  const chosen: number[] = [];
  const told = replicas.telling((id) => chosen.push(id));
  await Promise.all([ask(told), ask(told), ask(replicas)]);
  expect(new Set(chosen)).toEqual(new Set([0, 1]));
  for (const engine of engines) {
    const stats = await engine.stats();
    Object.assign(engine, { stats: async () => ({ ...stats, promptTokens: 7, reusedTokens: 3 }) });
  }
  expect(await replicas.stats()).toMatchObject({ promptTokens: 14, reusedTokens: 6 });
});

test("a limit of answers is each replica's own", async () => {
  const { replicas } = await started(2, { requestLimit: 1 });
  const answers = [ask(replicas), ask(replicas)];
  await expect(ask(replicas)).rejects.toMatchObject({
    code: "queue_full",
    message: expect.stringMatching(/^Rate limit reached .* Request limit 1 for the model: m\b/),
  });
  expect(await Promise.all(answers)).toEqual([20, 20]);
});

describe("loading", () => {
  test("tells the slowest stage, and how far all are on the average", async () => {
    const told: LoadProgress[] = [];
    const release: (() => void)[] = [];
    const load: EngineLoader = async (_, { onProgress }) => {
      onProgress({ stage: "weights", fraction: 0.5 });
      await new Promise<void>((resolve) => release.push(resolve));
      return await fakeEngine("a");
    };
    const replicas = replicasOf(2);
    const loaded = replicas.loader(load)(options, {
      ...hooks,
      onProgress: (one) => told.push(one),
    });
    while (release.length < 2) await sleep(1);
    expect(told.at(-1)).toEqual({ stage: "weights", fraction: 0.5 });
    release[0]?.();
    while (replicas.list()[0]?.state !== "ready") await sleep(1);
    expect(replicas.progress()).toEqual({ stage: "weights", fraction: 0.75 });
    release[1]?.();
    await loaded;
    expect(replicas.progress()).toEqual({ stage: "ready", fraction: 1 });
    expect(replicas.list()[0]).toMatchObject({ id: 0, alias: "first", state: "ready" });
  });

  test("fails as a whole when one fails, leaves none, and its record tells why", async () => {
    const engine = await fakeEngine("a");
    const failure = new PlatformError("out_of_memory", "No room.");
    let count = 0;
    const replicas = replicasOf(2);
    const load: EngineLoader = async () => {
      if (++count === 1) return engine;
      await sleep(5);
      throw failure;
    };
    await expect(replicas.loader(load)(options, hooks)).rejects.toBe(failure);
    expect(engine.isDisposed).toBe(true);
    expect(replicas.list()[1]).toMatchObject({ state: "failed", error: failure });
  });

  test("of a further one that fails leaves the others as they were", async () => {
    const failure = new PlatformError("out_of_memory", "No room.");
    let count = 0;
    const replicas = replicasOf(1);
    await replicas.loader(async () => {
      if (++count > 1) throw failure;
      return await fakeEngine("a");
    })(options, hooks);
    await expect(replicas.add()).rejects.toBe(failure);
    expect(replicas.list()).toHaveLength(1);
    expect(await ask(replicas)).toBe(1);
  });

  test("shares the processors among several, unless told otherwise", async () => {
    const seen: (number | undefined)[] = [];
    const load: EngineLoader = async ({ numThreads }) => {
      seen.push(numThreads);
      return await fakeEngine("a");
    };
    await replicasOf(1).loader(load)(options, hooks);
    await replicasOf(1_000).loader(load)(options, hooks);
    await replicasOf(2).loader(load)({ ...options, numThreads: 7 }, hooks);
    expect(seen[0]).toBeUndefined();
    expect(new Set(seen.slice(1, 1_001))).toEqual(new Set([1]));
    expect(seen.slice(1_001)).toEqual([7, 7]);
  });
});
