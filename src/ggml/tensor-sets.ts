/** Tensors of several devices under their names: a set for each device. */
import type { Tensor } from "./tensor.ts";
import type { TensorSet, TensorSpec } from "./tensor-set.ts";

export class TensorSets implements Disposable {
  readonly #sets: TensorSet[] = [];
  readonly #setOf = new Map<string, TensorSet>();

  /** Take over a set; disposed with the others. */
  add(specs: ReadonlyMap<string, TensorSpec>, set: TensorSet): void {
    this.#sets.push(set);
    for (const name of specs.keys()) this.#setOf.set(name, set);
  }

  get(name: string): Tensor {
    return this.#ofName(name).get(name);
  }

  /** Overwrite a whole tensor. */
  write(name: string, data: Float32Array): void {
    const set = this.#ofName(name);
    set.write(set.get(name), data);
  }

  get sizeBytes(): number {
    return this.#sets.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** `Device.id` → what lies there. */
  bytesByDevice(): ReadonlyMap<string, number> {
    const bytes = new Map<string, number>();
    for (const { device, sizeBytes } of this.#sets) {
      bytes.set(device, (bytes.get(device) ?? 0) + sizeBytes);
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    for (const set of this.#sets) set[Symbol.dispose]();
  }

  #ofName(name: string): TensorSet {
    const set = this.#setOf.get(name);
    if (set === undefined) throw new Error(`there is no tensor ${name}`);
    return set;
  }
}

/** @returns device → the specs of the tensors that lie there */
export function byDevice<Spec extends TensorSpec>(
  specs: ReadonlyMap<string, Spec>,
  deviceOf: (name: string) => string,
): ReadonlyMap<string, ReadonlyMap<string, Spec>> {
  const groups = new Map<string, Map<string, Spec>>();
  for (const [name, spec] of specs) {
    const device = deviceOf(name);
    const group = groups.get(device) ?? new Map<string, Spec>();
    groups.set(device, group.set(name, spec));
  }
  return groups;
}
