/** The part that every Python worker shares, as a process; the engines are asked in `test/engine`. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { lackOfPython, testPython } from "../../../test/support/python.ts";
import { Child } from "../../process/child.ts";
import { WorkerDriver } from "../worker/worker-driver.ts";
import { pythonWorker } from "./python-worker.ts";

const lacks = await lackOfPython(["grpc", "google.protobuf"]);
const title = lacks === undefined ? "" : ` (skipped: there is no ${lacks})`;

describe.skipIf(lacks !== undefined)(`a Python worker${title}`, () => {
  test("sees its own environment's modules and ours, no secret, and none of the caller's (WK-05)", async () => {
    process.env["HF_TOKEN"] = "hf_secret";
    process.env["PYTHONPATH"] = "/nowhere/planted";
    try {
      const { args, env = {} } = pythonWorker("transformers", testPython);
      const [isolated, noBytecode] = args;
      const program = `import json, os, sys
print("ready")
sys.stderr.write(json.dumps([sys.path, dict(os.environ), sys.flags.isolated]))`;
      const log: string[] = [];
      const child = await Child.start({
        program: testPython,
        args: [`${isolated}`, `${noBytecode}`, "-c", program],
        env,
        readyTimeoutMs: 60_000,
        onLog: (line) => log.push(line),
      });
      await child.exited;
      await child.logEnded;
      expect(log.join()).not.toMatch(/hf_secret|planted/);
      const [, seen, flag] = JSON.parse(log.join("")) as [string[], Record<string, string>, number];
      expect(seen).toMatchObject({ HF_HUB_OFFLINE: "1", TRANSFORMERS_OFFLINE: "1" });
      expect(flag).toBe(1);
    } finally {
      delete process.env["HF_TOKEN"];
      delete process.env["PYTHONPATH"];
    }
  });

  test("whose engine is not there says what is missing, and is not left behind", async () => {
    const log: string[] = [];
    const command = pythonWorker("vllm", testPython);
    // An engine's name that no folder has: the worker is asked for what its environment lacks.
    const args = [...command.args.slice(0, -1), "transformers"];
    const start = WorkerDriver.start(
      {
        directory: "/nowhere",
        profile: "ref",
        maxModelLen: undefined,
        maxNumSeqs: undefined,
        kvCacheDtype: undefined,
        numThreads: undefined,
      },
      {
        signal: new AbortController().signal,
        onProgress: () => {},
        onLog: (line) => log.push(line),
      },
      { ...command, args },
    );
    await expect(start).rejects.toMatchObject({
      code: expect.stringMatching(/^(engine_unavailable|model_not_found)$/),
    });
    const pids = new Set(log.map((line) => (JSON.parse(line) as { worker: number }).worker));
    expect(pids.size).toBe(1);
    for (const pid of pids) {
      for (let wait = 0; isAlive(pid) && wait < 100; wait++) await sleep(20);
      expect(isAlive(pid)).toBe(false);
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
