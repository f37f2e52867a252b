/** Replicas as real processes: each its own, and what happens to one leaves the others' answers alone. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import type { GenerateRequest } from "../../src/generation/request.ts";
import { Platform } from "../../src/platform.ts";
import type { ReplicaRecord } from "../../src/supervisor/replicas.ts";
import { goldenCheckpoint } from "../support/golden.ts";
import { greedy } from "../support/greedy.ts";

const request: GenerateRequest = {
  prompt: { type: "raw", text: "ab", images: [], bos: "auto" },
  sampling: { ...greedy, maxTokens: 1_500 },
};

let platform: Platform;
beforeAll(async () => {
  platform = new Platform({ log: createLogger("silent") });
  await platform.supervisor.launch({
    model: goldenCheckpoint("tiny-a"),
    uid: "tiny",
    engine: "native",
    profile: "ref",
    maxModelLen: undefined,
    maxNumSeqs: undefined,
    kvCacheDtype: undefined,
    numThreads: 1,
    replicas: 2,
  });
  const instance = await platform.supervisor.whenSettled("tiny");
  if (instance.state === "failed") throw instance.error;
});
afterAll(async () => await platform[Symbol.asyncDispose]());

const replicas = (): readonly ReplicaRecord[] => platform.supervisor.get("tiny").replicas.list();

async function pidOf({ engine }: ReplicaRecord): Promise<number> {
  if (!(engine instanceof WorkerDriver)) throw new Error("no worker");
  return await engine.workerPid();
}

async function ask(): Promise<number> {
  const { signal } = new AbortController();
  for await (const event of platform.router.generate("tiny", request, { signal })) {
    if (event.type === "finish") return event.usage.completionTokens;
  }
  throw new Error("the events ended without a finish");
}

async function bothRunning(): Promise<void> {
  while (replicas().filter(({ numRunning }) => numRunning > 0).length < 2) await sleep(1);
}

test("a crash of one cuts its own answer, spares the other's, and is mended (WK-01)", async () => {
  const pids = await Promise.all(replicas().map(pidOf));
  expect(new Set(pids).size).toBe(2);
  const answers = [ask(), ask()];
  const outcomes = Promise.allSettled(answers);
  await bothRunning();
  const [first] = pids;
  if (first === undefined) throw new Error("there is a first");
  process.kill(first, "SIGKILL");
  const results = await outcomes;
  expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(results.find(({ status }) => status === "rejected")).toMatchObject({
    reason: { code: "worker_failed" },
  });
  expect(await Promise.all([ask(), ask()])).toEqual([await ask(), await ask()]);
  const now = await Promise.all(replicas().map(pidOf));
  expect(now[1]).toBe(pids[1]);
  expect(now[0]).not.toBe(first);
});

test("scaling up and down under load cuts no answer", async () => {
  const whole = await ask();
  const answers = Array.from({ length: 6 }, ask);
  await bothRunning();
  const added = await platform.supervisor.addReplica("tiny", "third");
  expect(added).toMatchObject({ id: 2, alias: "third", state: "ready" });
  answers.push(ask(), ask());
  const pid = await pidOf(added);
  expect(await platform.supervisor.removeReplica("tiny", 0)).toBe(2);
  expect(await platform.supervisor.removeReplica("tiny", 2)).toBe(1);
  expect(() => process.kill(pid, 0)).toThrow();
  expect(await Promise.all(answers)).toEqual(answers.map(() => whole));
});

test("with its last replica a model goes", async () => {
  expect(await platform.supervisor.removeReplica("tiny", 1)).toBe(0);
  expect(platform.supervisor.list()).toEqual([]);
});
