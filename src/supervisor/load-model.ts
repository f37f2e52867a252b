/** Loads what one instance needs: engine, pipeline and defaults; all of it, or nothing is left. */
import type { Engine, EngineLoader, EngineLoadOptions } from "../engines/engine.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { readDefaultSampling } from "./default-sampling.ts";
import type { LoadedModel } from "./instance.ts";

export type ModelParts = {
  readonly load: EngineLoader;
  readonly openPipeline: (directory: string) => Promise<Pipeline>;
};

/**
 * Engine and tokenizer start side by side; when one fails, the other is given up.
 *
 * @throws PlatformError whatever went wrong first
 */
export async function loadModel(
  { load, openPipeline }: ModelParts,
  options: EngineLoadOptions,
  hooks: Parameters<EngineLoader>[1],
): Promise<LoadedModel> {
  const defaultSampling = await readDefaultSampling(options.directory);
  hooks.signal.throwIfAborted();
  const failed = new AbortController();
  const giveUp = (error: unknown): never => {
    failed.abort(error);
    throw error;
  };
  const signal = AbortSignal.any([hooks.signal, failed.signal]);
  const [pipeline, engine] = await Promise.allSettled([
    openPipeline(options.directory).catch(giveUp),
    load(options, { ...hooks, signal }).catch(giveUp),
  ]);
  if (pipeline.status === "fulfilled" && engine.status === "fulfilled" && !signal.aborted) {
    const { directory } = options;
    return { directory, engine: engine.value, pipeline: pipeline.value, defaultSampling };
  }
  await Promise.all([release(pipeline), release(engine)]);
  throw signal.reason;
}

async function release(part: PromiseSettledResult<Engine | Pipeline>): Promise<void> {
  if (part.status === "fulfilled") await part.value[Symbol.asyncDispose]();
}
