/** Where a model's parts go, by what the launch asks for and what the cards have free at this moment. */
import { hostMemory } from "../../devices/host-memory.ts";
import { listDevices, loadAccelerators } from "../../ggml/accelerators.ts";
import { readDeviceWish } from "../device-wish.ts";
import type { EngineLoadOptions } from "../engine.ts";
import { installedAccelerators } from "../installed-accelerators.ts";
import { mayUseCard, withProblems } from "../list-devices.ts";
import { defaultStateDtype } from "../memory.ts";
import type { ModelShape } from "../model-shape.ts";
import { type PlacementPlan, planPlacement } from "../placement-plan.ts";

/**
 * Loads the back ends of cards into this process when one may be used.
 *
 * @returns `undefined` when all of it goes on the processor
 * @throws PlatformError `invalid_request`, `engine_unavailable`, `out_of_memory`
 */
export async function placeModel(
  shape: ModelShape,
  { engineOptions, kvCacheDtype, maxModelLen, maxNumSeqs }: EngineLoadOptions,
): Promise<PlacementPlan | undefined> {
  const wish = readDeviceWish(engineOptions);
  if (!mayUseCard(wish)) return undefined;
  const problems = loadAccelerators(await installedAccelerators());
  const maxNumBatchedTokens = engineOptions?.["max_num_batched_tokens"];
  try {
    return planPlacement(shape, {
      wish,
      devices: listDevices(),
      dtype: kvCacheDtype ?? defaultStateDtype(shape),
      maxModelLen,
      maxNumSeqs,
      maxNumBatchedTokens:
        typeof maxNumBatchedTokens === "number" ? maxNumBatchedTokens : undefined,
      hostFreeBytes: hostMemory().availableBytes,
    });
  } catch (error) {
    throw withProblems(error, problems);
  }
}
