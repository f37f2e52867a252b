/** The tensors that are there against those that the configuration asks for. */
import { PlatformError } from "../../base/errors.ts";
import { shown } from "../../formats/shown.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import type { MllamaConfig } from "./config.ts";
import { mayBeQuantized } from "./weight-kinds.ts";
import { expectedTensors } from "./weights.ts";

const MAX_NAMED = 10;
const weightDtypes: readonly string[] = ["F32", "F16", "BF16"];
const quantizedDtypes: readonly string[] = ["Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q4_0"];

/** What some exporters add, and anybody can compute: it changes nothing. */
const isDerived = (name: string): boolean => name.endsWith("rotary_emb.inv_freq");

/**
 * Faults are found here, by name, and not in the middle of a computation.
 *
 * A tensor too many is a fault as well: more layers than config.json has, or an adapter's weights,
 * mean another model than the one that would run.
 *
 * @param found by legacy name
 * @returns those that the model uses
 * @throws PlatformError `corrupt_model_file`; `details.tensors` names the first ten
 */
export function checkTensors(
  config: MllamaConfig,
  found: ReadonlyMap<string, TensorEntry>,
): ReadonlyMap<string, TensorEntry> {
  const expected = expectedTensors(config);
  const used = new Map([...found].filter(([name]) => expected.has(name)));

  refuse(
    [...used].filter(([name, { shape }]) => String(shape) !== String(expected.get(name))),
    ([name, { shape }]) =>
      `${name} has the shape ${show(shape)}, and config.json asks for ${show(expected.get(name))}`,
  );
  refuse(
    [...used].filter(([name, entry]) => !isUsable(name, entry)),
    ([name, { dtype }]) =>
      quantizedDtypes.includes(dtype)
        ? `${name} has the type ${dtype}, which only large matrices may have`
        : `${name} has the type ${dtype}; weights are F32, F16 or BF16`,
  );
  refuse(
    [...expected].filter(([name]) => !found.has(name)),
    ([name, shape]) => `${name} ${show(shape)} is missing`,
  );
  refuse(
    [...found].filter(([name]) => !expected.has(name) && !isDerived(name)),
    ([name, { shape }]) => `${shown(name)} ${show(shape)} belongs to no part of this model`,
  );
  return used;
}

const isUsable = (name: string, { dtype, shape }: TensorEntry): boolean =>
  weightDtypes.includes(dtype) || (quantizedDtypes.includes(dtype) && mayBeQuantized(name, shape));

const show = (shape: readonly number[] = []): string => `[${shape.join(", ")}]`;

function refuse<Value>(
  faults: readonly [string, Value][],
  describe: (fault: [string, Value]) => string,
): void {
  const [first] = faults;
  if (first === undefined) return;
  const others = faults.length === 1 ? "" : ` (and ${faults.length - 1} more like it)`;
  throw new PlatformError(
    "corrupt_model_file",
    `The weights do not fit config.json: ${describe(first)}${others}. Take all files from the same model.`,
    { details: { tensors: faults.slice(0, MAX_NAMED).map(([name]) => shown(name)) } },
  );
}
