/** How much a model has to do, and how much it could do at once. */
import type { RestingModels } from "./resting-models.ts";
import type { Supervisor } from "./supervisor.ts";

export type ModelLoad = {
  /** Requests it works on at the same time, at most. */
  readonly slots: number;
  readonly numRunning: number;
  readonly numWaiting: number;
};

/** What engines take at once when nothing was said at the launch, the most careful of them. */
const defaultSlots = 8;

/** @returns `undefined` when no model of that name runs or would come back */
export async function loadOfModel(
  name: string,
  { supervisor, resting }: { readonly supervisor: Supervisor; readonly resting: RestingModels },
): Promise<ModelLoad | undefined> {
  const instance = supervisor.find(name);
  if (instance === undefined) {
    return resting.find(name) === undefined
      ? undefined
      : { slots: 1, numRunning: 0, numWaiting: 0 };
  }
  switch (instance.state) {
    case "starting":
    case "stopping":
      return { slots: 1, numRunning: 0, numWaiting: 1 };
    case "failed":
      return undefined;
    case "ready": {
      const { numRunning, numWaiting } = await instance.engine.stats();
      const slots = supervisor.launchOptionsOf(instance.uid).maxNumSeqs ?? defaultSlots;
      return { slots, numRunning, numWaiting };
    }
    default:
      return instance satisfies never;
  }
}
