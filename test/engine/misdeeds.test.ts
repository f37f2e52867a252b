/** Workers that load as they should and then do what none may, and requests that end them: what it costs, and whom. */
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import type { WorkerEnd } from "../../src/engines/engine.ts";
import { WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import { misdeeds } from "../support/misbehaving-worker.ts";
import { ask, greedily, promptOf } from "../support/native-engine.ts";

vi.setConfig({ testTimeout: 90_000 });

const program = fileURLToPath(new URL("../support/misbehaving-worker.ts", import.meta.url));
const { signal } = new AbortController();

async function start(ends: WorkerEnd[] = []): Promise<WorkerDriver> {
  return await WorkerDriver.start(
    {
      directory: "/nowhere",
      profile: "ref",
      maxModelLen: undefined,
      maxNumSeqs: undefined,
      kvCacheDtype: undefined,
      numThreads: undefined,
    },
    {
      signal,
      onProgress: () => {},
      onLog: () => {},
      onUnexpectedEnd: (end) => ends.push(end),
    },
    {
      kind: "native",
      args: ["--import", "tsx", program],
    },
  );
}

const told = promptOf([misdeeds.none, 20], []);

test.each(["garbage", "halfFrame", "hugeFrame", "silentExit", "unknownToken"] as const)(
  "a worker that answers with %s is replaced, and our memory stays bounded (WK-02)",
  async (misdeed) => {
    await using engine = await start();
    expect((await ask(engine, told, greedily(1))).tokenIds).toEqual([7]);
    const pid = await engine.workerPid();
    const before = process.memoryUsage().rss;
    const askedAt = performance.now();
    await expect(
      ask(engine, promptOf([misdeeds[misdeed], 20], []), greedily(1)),
    ).rejects.toMatchObject({ code: "worker_failed" });
    expect(performance.now() - askedAt).toBeLessThan(10_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
    expect((await ask(engine, told, greedily(1))).tokenIds).toEqual([7]);
    expect(await engine.workerPid()).not.toBe(pid);
  },
);

test("a request that ends the worker every time is answered with an error, and ends no third one (WK-10, G-06)", async () => {
  const ends: WorkerEnd[] = [];
  await using engine = await start(ends);
  const poison = promptOf([misdeeds.silentExit, 20], []);
  for (let time = 0; time < 2; time++) {
    await expect(ask(engine, poison, greedily(1))).rejects.toMatchObject({ code: "worker_failed" });
  }
  for (let time = 0; time < 3; time++) {
    await expect(ask(engine, poison, greedily(1))).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(/ended 2 times while it answered this request/),
    });
  }
  expect((await ask(engine, told, greedily(1))).tokenIds).toEqual([7]);
  expect(ends).toHaveLength(2);
  expect(engine.problem()).toBeUndefined();
});
