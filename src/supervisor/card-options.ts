/** What a plan on graphics cards decides where the launch left it open. Pure. */
import type { EngineLoadOptions } from "../engines/engine.ts";
import type { LaunchPlan } from "./launch.ts";

type Chosen = Pick<EngineLoadOptions, "maxModelLen" | "engineOptions">;

/**
 * vLLM is told the number of cards and the length of context that were planned with, so that what was
 * promised to fit is what runs; other engines, and a plan without cards, change nothing.
 */
export function withPlannedCards(
  { engine, memory }: Pick<LaunchPlan, "engine" | "memory">,
  given: Chosen,
): Chosen {
  if (engine.kind !== "vllm" || memory === undefined || memory.device === "this machine") {
    return given;
  }
  const { maxModelLen = memory.contextLength, engineOptions = {} } = given;
  return {
    maxModelLen,
    engineOptions: { tensor_parallel_size: memory.numDevices, ...engineOptions },
  };
}
