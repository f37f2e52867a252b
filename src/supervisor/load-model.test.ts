import { describe, expect, test } from "vitest";
import { fakeEngine, tinyCheckpoint } from "../../test/support/serve.ts";
import { PlatformError } from "../base/errors.ts";
import type { EngineLoader } from "../engines/engine.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { loadModel } from "./load-model.ts";

const options = {
  directory: tinyCheckpoint,
  profile: "ref",
  maxModelLen: undefined,
  maxNumSeqs: undefined,
  kvCacheDtype: undefined,
  numThreads: undefined,
} as const;

const noHooks = { onProgress: () => undefined, onLog: () => undefined };
const corrupt = new PlatformError("corrupt_model_file", "tokenizer.json is cut short.");

/** Loads until it is told to stop, as a large model would. */
const loadForever: EngineLoader = async (_, { signal }) =>
  await new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("gave up")), { once: true });
  });

describe("loading a model", () => {
  test("gives up the engine when the tokenizer fails, and says why", async () => {
    const { signal } = new AbortController();
    const parts = { load: loadForever, openPipeline: async () => await Promise.reject(corrupt) };
    await expect(loadModel(parts, options, { ...noHooks, signal })).rejects.toBe(corrupt);
  });

  test("frees the engine that was loaded before the tokenizer failed", async () => {
    const { signal } = new AbortController();
    const engine = await fakeEngine("a");
    const parts = {
      load: async () => engine,
      openPipeline: async () => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        throw corrupt;
      },
    };
    await expect(loadModel(parts, options, { ...noHooks, signal })).rejects.toBe(corrupt);
    expect(engine.isDisposed).toBe(true);
  });

  test("ends when it is told to, and frees what was there", async () => {
    const controller = new AbortController();
    let isClosed = false;
    const parts = {
      load: loadForever,
      openPipeline: async () => {
        const pipeline = await Pipeline.open(tinyCheckpoint);
        const dispose = pipeline[Symbol.asyncDispose].bind(pipeline);
        pipeline[Symbol.asyncDispose] = async () => {
          await dispose();
          isClosed = true;
        };
        setTimeout(() => controller.abort(new PlatformError("cancelled", "Enough.")), 10);
        return pipeline;
      },
    };
    const loading = loadModel(parts, options, { ...noHooks, signal: controller.signal });
    await expect(loading).rejects.toThrow("Enough.");
    expect(isClosed).toBe(true);
  });
});
