/** The plan of `place-model.ts`, made by a process that loads no driver: devices are asked for in another one. */
import { readDeviceWish } from "./device-wish.ts";
import type { EngineOptions } from "./engine.ts";
import { listNativeDevices, mayUseCard, withProblems } from "./list-devices.ts";
import type { ModelShape } from "./model-shape.ts";
import { type PlacementPlan, type PlacementRequest, planPlacement } from "./placement-plan.ts";

/**
 * @returns `undefined` when all of it goes on the processor
 * @throws PlatformError `invalid_request`, `engine_unavailable`, `out_of_memory`
 */
export async function placeOnDevices(
  shape: ModelShape,
  {
    engineOptions,
    ...request
  }: Omit<PlacementRequest, "wish" | "devices"> & {
    readonly engineOptions: EngineOptions | undefined;
  },
): Promise<PlacementPlan | undefined> {
  const wish = readDeviceWish(engineOptions);
  if (!mayUseCard(wish)) return undefined;
  const { devices, problems } = await listNativeDevices();
  try {
    return planPlacement(shape, { ...request, wish, devices });
  } catch (error) {
    throw withProblems(error, problems);
  }
}
