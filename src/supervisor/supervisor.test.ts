import { cp, mkdtemp, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { greedy } from "../../test/support/greedy.ts";
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
import type { GenerateEvent } from "../generation/event.ts";
import type { GenerateRequest } from "../generation/request.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { Router } from "./router.ts";
import { type LaunchOptions, Supervisor } from "./supervisor.ts";

const options: LaunchOptions = {
  model: tinyCheckpoint,
  uid: undefined,
  engine: "native",
  profile: "ref",
  maxModelLen: undefined,
  maxNumSeqs: undefined,
  kvCacheDtype: undefined,
  numThreads: undefined,
};

const request: GenerateRequest = {
  prompt: { type: "raw", text: "ab", images: [], bos: "auto" },
  sampling: { ...greedy, maxTokens: 100 },
};

const open: Supervisor[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((supervisor) => supervisor[Symbol.asyncDispose]()));
});

function supervise(load: EngineLoader): Supervisor {
  const supervisor = new Supervisor({
    findEngine: findNative(load),
    openPipeline: (directory) => Pipeline.open(directory),
    demoDirectory: tinyCheckpoint,
    gguf: noGguf,
    registry: builtinRegistry(),
    locateFiles: async () => undefined,
    log: createLogger("silent"),
  });
  open.push(supervisor);
  return supervisor;
}

async function readText(events: AsyncIterable<GenerateEvent>): Promise<string> {
  let text = "";
  for await (const event of events) if (event.type === "text-delta") text += event.text;
  return text;
}

const { signal } = new AbortController();

describe("launching", () => {
  test("a directory that is exchanged between check and load is not served (MF-17)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "exchanged-"));
    const model = join(folder, "model");
    for (const name of ["first", "second"]) {
      await cp(tinyCheckpoint, join(folder, name), { recursive: true });
      await symlink(join(folder, name), join(folder, `to-${name}`));
    }
    await rename(join(folder, "to-first"), model);
    const engine = await fakeEngine("ab");
    const freed = vi.spyOn(engine, Symbol.asyncDispose);
    const supervisor = supervise(async () => {
      // In one step, so that the tokenizer's files are there at any moment.
      await rename(join(folder, "to-second"), model);
      return engine;
    });
    try {
      const { uid } = await supervisor.launch({ ...options, model });
      const instance = await supervisor.whenSettled(uid);
      expect(instance).toMatchObject({
        state: "failed",
        error: {
          code: "corrupt_model_file",
          message: expect.stringMatching(/was changed while the model was loaded/),
        },
      });
      expect(freed).toHaveBeenCalled();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("shows how loading goes, then a model that answers", async () => {
    const engine = await fakeEngine("ab");
    const supervisor = supervise(async (_, { onProgress }) => {
      onProgress({ stage: "weights", fraction: 0.5 });
      await sleep(20);
      return engine;
    });
    const { uid, state } = await supervisor.launch(options);
    expect({ uid, state }).toEqual({ uid: "tiny-a", state: "starting" });
    expect(() => supervisor.lease(uid)).toThrow(/still starting/);
    expect((await supervisor.whenSettled(uid)).state).toBe("ready");
    expect(await readText(new Router(supervisor).generate(uid, request, { signal }))).toBe("ab");
  });

  test("twice gives two names, and a name that is taken is refused", async () => {
    const supervisor = supervise(async () => await fakeEngine("ab"));
    expect((await supervisor.launch(options)).uid).toBe("tiny-a");
    expect((await supervisor.launch(options)).uid).toBe("tiny-a-2");
    expect((await supervisor.launch({ ...options, model: "demo" })).uid).toBe("demo");
    await expect(supervisor.launch({ ...options, uid: "demo" })).rejects.toMatchObject({
      code: "model_already_launched",
    });
  });

  test("that fails keeps its reason, and gives its name back", async () => {
    let isBroken = true;
    const supervisor = supervise(async () => {
      if (isBroken)
        throw new PlatformError("corrupt_model_file", "model.safetensors is cut short.");
      return await fakeEngine("ab");
    });
    await supervisor.launch(options);
    expect(await supervisor.whenSettled("tiny-a")).toMatchObject({
      state: "failed",
      error: { code: "corrupt_model_file" },
    });
    expect(() => supervisor.lease("tiny-a")).toThrow(/could not be loaded: .* cut short/);
    isBroken = false;
    await supervisor.launch(options);
    expect((await supervisor.whenSettled("tiny-a")).state).toBe("ready");
  });
});

describe("terminating", () => {
  test("lets an answer end, takes no new one, and frees the engine", async () => {
    const engine = await fakeEngine({ text: "abc", tokenDelayMs: 10 });
    const supervisor = supervise(async () => engine);
    const router = new Router(supervisor);
    await supervisor.launch(options);
    await supervisor.whenSettled("tiny-a");

    const answer = readText(router.generate("tiny-a", request, { signal }));
    while (engine.numRunning === 0) await sleep(1);
    const gone = supervisor.terminate("tiny-a");
    await sleep(1);
    expect(() => supervisor.lease("tiny-a")).toThrow(/is being terminated/);
    expect(await answer).toBe("abc");
    await gone;
    expect(engine.isDisposed).toBe(true);
    expect(() => supervisor.get("tiny-a")).toThrow(/No model is called "tiny-a"/);
  });

  test("cuts an answer off when its time is up, with an error and not an end", async () => {
    const engine = await fakeEngine({ text: "a".repeat(90), tokenDelayMs: 50 });
    const supervisor = supervise(async () => engine);
    const router = new Router(supervisor);
    await supervisor.launch(options);
    await supervisor.whenSettled("tiny-a");

    const answer = readText(router.generate("tiny-a", request, { signal }));
    const refused = expect(answer).rejects.toMatchObject({ code: "model_not_ready" });
    while (engine.numRunning === 0) await sleep(1);
    await supervisor.terminate("tiny-a", { drainMs: 1 });
    await refused;
    expect(engine.numRunning).toBe(0);
    expect(engine.isDisposed).toBe(true);
  });

  test("ends a loading that is under way (RL-08)", async () => {
    const supervisor = supervise(
      async (_, hooks) =>
        await new Promise((_resolve, reject) => {
          hooks.signal.addEventListener("abort", () => reject(hooks.signal.reason));
        }),
    );
    await supervisor.launch(options);
    await sleep(50);
    await supervisor.terminate("tiny-a");
    expect(supervisor.list()).toEqual([]);
  });

  test("everything refuses new launches too", async () => {
    const supervisor = supervise(async () => await fakeEngine("ab"));
    await supervisor.close();
    await expect(supervisor.launch(options)).rejects.toMatchObject({ code: "model_not_ready" });
  });
});
