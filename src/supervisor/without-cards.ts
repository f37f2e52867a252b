/** A launch that is to stay off graphics cards. Pure. */
import { PlatformError } from "../base/errors.ts";
import type { EngineEntry } from "../engines/catalog.ts";
import type { EngineOptions } from "../engines/engine.ts";

/**
 * The options of a launch that is to stay off graphics cards: an engine that would choose one is told not to.
 *
 * @throws PlatformError `engine_unavailable` for an engine that runs on cards alone, `invalid_request` when another device
 *   was named as well
 */
export function withoutCards(engine: EngineEntry, given: EngineOptions = {}): EngineOptions {
  if (engine.kind === "vllm") {
    throw new PlatformError(
      "engine_unavailable",
      "vLLM runs on graphics cards alone, and --n-gpu none asks for none. Leave --n-gpu out, or take the engine native or transformers.",
      { details: { param: "n_gpu" } },
    );
  }
  // An engine without the option has no cards to choose from.
  if (!("options" in engine) || !engine.options.includes("device")) return given;
  const { device = "cpu" } = given;
  if (device === "cpu" || device === "auto") return { ...given, device: "cpu" };
  throw new PlatformError(
    "invalid_request",
    `--n-gpu none asks for the processor, and --device for ${JSON.stringify(device).slice(0, 40)}. Leave one of them out.`,
    { details: { param: "n_gpu" } },
  );
}
