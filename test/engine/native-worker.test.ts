import { truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { LoadProgress } from "../../src/engines/engine.ts";
import { copyOfCheckpoint } from "../support/checkpoint-files.ts";
import { goldenCheckpoint } from "../support/golden.ts";
import { ask, greedily, promptOf, startNativeEngine } from "../support/native-engine.ts";

const tiny = goldenCheckpoint("tiny-a");
const text = promptOf([1, 20, 30], []);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("a killed worker", () => {
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

  test("is not started for ever (WK-09)", { timeout: 60_000 }, async () => {
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

test.skipIf(process.platform === "win32")(
  "weights that shrink while they are served end the worker, not us, and are not served again: MF-18 (skipped on Windows, where an open file cannot shrink)",
  { timeout: 60_000 },
  async () => {
    using copy = copyOfCheckpoint("tiny-a");
    await using engine = await startNativeEngine(copy.path);
    const weights = join(copy.path, "model.safetensors");
    truncateSync(weights, 4_096);
    await expect(ask(engine, text, greedily(1))).rejects.toMatchObject({ name: "PlatformError" });
    await expect(ask(engine, text, greedily(1))).rejects.toMatchObject({ name: "PlatformError" });
  },
);
