/** The worker's life: what it says when a model is none, when it is killed, when many ask at once. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { LoadProgress, WorkerEnd } from "../../src/engines/engine.ts";
import type { WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import { goldenCheckpoint, goldenPicture } from "../support/golden.ts";
import { ask, greedily, promptOf, startNativeEngine } from "../support/native-engine.ts";

const tiny = goldenCheckpoint("tiny-a");
const text = promptOf([1, 20, 30], []);
const picture = goldenPicture({ width: 50, height: 52, seed: 9 });
const seeing = promptOf([1, 256, 30], [picture]);

/** Other tests put theirs beside ours otherwise. */
async function useOwnTemporaryDirectory(): Promise<void> {
  vi.stubEnv("TMPDIR", await mkdtemp(join(tmpdir(), "atalaya-test-")));
}
afterEach(() => vi.unstubAllEnvs());

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("a running worker", () => {
  let engine: WorkerDriver;
  beforeAll(async () => {
    engine = await startNativeEngine(tiny);
  });
  afterAll(async () => {
    const pid = await engine.workerPid();
    await engine[Symbol.asyncDispose]();
    expect(isAlive(pid)).toBe(false);
  });

  test("answers two hundred streams at once, each in full", async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        ask(engine, promptOf([1, index % 200, 30], []), greedily(8)),
      ),
    );
    expect(answers.map(({ tokenIds }) => tokenIds.length)).toEqual(answers.map(() => 8));
    // Equal prompts, equal answers; different ones differ somewhere.
    expect(new Set(answers.map(({ tokenIds }) => tokenIds.join())).size).toBeGreaterThan(50);
  });

  test("encodes a picture once", async () => {
    const [first] = (await ask(engine, seeing, greedily(2))).events;
    const [second] = (await ask(engine, seeing, greedily(2))).events;
    expect(first).toMatchObject({
      type: "image",
      cached: false,
      width: 50,
      height: 52,
      grid: { rows: 2, columns: 2 },
    });
    expect(second).toMatchObject({ type: "image", cached: true, encodeMs: 0 });
    const stats = await engine.stats();
    expect(stats.cachedPictures).toBe(1);
    // All of it lies in the worker's own memory, whatever else does.
    const known = [stats.weightBytes, stats.kvCacheBytes, stats.pictureBytes].map(Number);
    expect(Math.min(...known)).toBeGreaterThan(0);
    expect(known.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(stats.residentBytes);
  });

  test("stops working when nobody listens any more", async () => {
    const abort = new AbortController();
    const answer = ask(engine, text, greedily(1_900), abort.signal);
    while ((await engine.stats()).numRunning === 0) await sleep(5);
    abort.abort();
    expect((await answer).tokenIds.length).toBeLessThan(1_900);
    const cancelledAt = performance.now();
    while ((await engine.stats()).numRunning > 0) await sleep(2);
    expect(performance.now() - cancelledAt).toBeLessThan(500);
    expect((await engine.stats()).kvBlocksUsed).toBe(0);
  });

  test.each([
    [promptOf([1, 256], []), "invalid_request", /1 image tokens and 0 pictures/],
    [promptOf([1], [picture]), "invalid_request", /0 image tokens and 1 pictures/],
    [
      promptOf(
        Array.from({ length: 5_000 }, () => 20),
        [],
      ),
      "context_length_exceeded",
      /5000/,
    ],
  ])("keeps the code and the sentence of a refusal (%#)", async (prompt, code, message) => {
    await expect(ask(engine, prompt, greedily(2))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe("a killed worker", () => {
  test("leaves its last words for the log", async () => {
    const ends: WorkerEnd[] = [];
    await using engine = await startNativeEngine(
      tiny,
      {},
      { onUnexpectedEnd: (end) => ends.push(end) },
    );
    process.kill(await engine.workerPid(), "SIGKILL");
    while (ends.length === 0) await sleep(5);
    expect(ends[0]).toMatchObject({ exitSignal: "SIGKILL" });
    expect(ends[0]?.lastLines.join()).toContain("model loaded");
    await engine[Symbol.asyncDispose]();
    // One that is stopped has none.
    expect(ends).toHaveLength(1);
  });

  test("is waited for only while its caller wants to, and disposal ends its restart", {
    timeout: 90_000,
  }, async () => {
    let numLoads = 0;
    const onProgress = ({ stage }: LoadProgress): void => {
      if (stage === "reading the checkpoint") numLoads += 1;
    };
    const engine = await startNativeEngine(tiny, {}, { onProgress });
    // After the second end there is a pause of a second.
    for (let i = 0; i < 2; i++) {
      const pid = await engine.workerPid();
      process.kill(pid, "SIGKILL");
      while ((await Promise.race([engine.workerPid(), sleep(5)])) === pid) await sleep(5);
    }
    const abort = new AbortController();
    const given = ask(engine, text, greedily(1), abort.signal);
    const waiting = ask(engine, text, greedily(1));
    abort.abort();
    await expect(given).rejects.toMatchObject({ name: "AbortError" });
    await Promise.all([
      expect(waiting).rejects.toMatchObject({ code: "model_not_ready" }),
      engine[Symbol.asyncDispose](),
    ]);
    expect(numLoads).toBe(2);
  });

  test("fails its answers within a second; the next is served by a fresh one", async () => {
    await using engine = await startNativeEngine(tiny);
    const pid = await engine.workerPid();
    const expected = (await ask(engine, seeing, greedily(4))).tokenIds;
    const answers = Array.from({ length: 3 }, () => ask(engine, text, greedily(1_900)));
    while ((await engine.stats()).numRunning < 3) await sleep(5);
    const killedAt = performance.now();
    process.kill(pid, "SIGKILL");
    for (const result of await Promise.allSettled(answers)) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "worker_failed" } });
    }
    expect(performance.now() - killedAt).toBeLessThan(1_000);
    expect((await ask(engine, seeing, greedily(4))).tokenIds).toEqual(expected);
    expect(await engine.workerPid()).not.toBe(pid);
  });

  test("is not started for ever", { timeout: 60_000 }, async () => {
    await using engine = await startNativeEngine(tiny);
    while (engine.problem() === undefined) {
      const pid = await engine.workerPid().catch(() => undefined);
      if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGKILL");
      await sleep(50);
    }
    await expect(ask(engine, text, greedily(1))).rejects.toMatchObject({
      code: "worker_failed",
      message: expect.stringMatching(/ended 5 times within ten minutes/),
    });
  });
});

describe("loading", () => {
  test.each([
    [join(tiny, "nowhere"), "model_not_found"],
    [dirname(fileURLToPath(import.meta.url)), "model_not_found"],
  ])("of %s says so", async (directory, code) => {
    await expect(startNativeEngine(directory)).rejects.toMatchObject({ code });
  });

  test("leaves no process and no socket behind when it fails", async () => {
    await useOwnTemporaryDirectory();
    const sockets = async (): Promise<string[]> =>
      (await readdir(tmpdir())).filter((name) => name.startsWith("atalaya-")).sort();
    const before = await sockets();
    await expect(startNativeEngine(join(tiny, "nowhere"))).rejects.toThrow();
    await expect(startNativeEngine(tiny, { maxModelLen: 1e9 })).rejects.toMatchObject({
      code: "invalid_request",
    });
    expect((await sockets()).filter((name) => !before.includes(name))).toEqual([]);
  });
});

test.skipIf(process.platform === "win32")(
  "a worker whose platform was killed ends, and takes its socket with it",
  async () => {
    await useOwnTemporaryDirectory();
    const support = fileURLToPath(new URL("../support/native-engine.ts", import.meta.url));
    const script = `
      import { startNativeEngine } from ${JSON.stringify(support)};
      const engine = await startNativeEngine(${JSON.stringify(tiny)});
      console.log(await engine.workerPid());
      setInterval(() => {}, 1000);
    `;
    const before = new Set(await readdir(tmpdir()));
    const parent = spawn(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", script],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once("data", (data: Buffer) => resolve(Number(data.toString()))),
    );
    const sockets = (await readdir(tmpdir())).filter(
      (name) => name.startsWith("atalaya-") && !before.has(name),
    );
    expect(sockets.length).toBeGreaterThan(0);
    parent.kill("SIGKILL");
    for (let wait = 0; isAlive(pid) && wait < 100; wait++) await sleep(20);
    expect(isAlive(pid)).toBe(false);
    const after = await readdir(tmpdir());
    expect(sockets.filter((name) => after.includes(name))).toEqual([]);
  },
);
