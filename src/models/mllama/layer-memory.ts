/** Keys and values of layers, each on its layer's device. */
import type { Backend } from "../../ggml/backend.ts";
import type { TensorSpec } from "../../ggml/tensor-set.ts";
import { byDevice, TensorSets } from "../../ggml/tensor-sets.ts";
import type { Placement } from "./placement.ts";

/**
 * `N.key` and `N.value` for each of `layers`, zeroed.
 *
 * @throws PlatformError `out_of_memory`
 */
export function allocateLayers(
  backend: Backend,
  placement: Placement,
  { layers, spec }: { readonly layers: readonly number[]; readonly spec: TensorSpec },
): TensorSets {
  const specs = new Map(
    layers.flatMap((index) => [
      [`${index}.key`, spec],
      [`${index}.value`, spec],
    ]),
  );
  const sets = new TensorSets();
  try {
    const deviceOf = (name: string): string => placement.layers[Number.parseInt(name, 10)] ?? "cpu";
    for (const [device, group] of byDevice(specs, deviceOf)) {
      sets.add(group, backend.allocate(group, { device }));
    }
    return sets;
  } catch (error) {
    sets[Symbol.dispose]();
    throw error;
  }
}
