/** How much a model has to do, and how much it could do at once. */
import type { RestingModels } from "./resting-models.ts";
import type { Router } from "./router.ts";
import { slotsOf } from "./slots.ts";
import type { Supervisor } from "./supervisor.ts";

export type ModelLoad = {
  /** Requests it works on at the same time, at most. */
  readonly slots: number;
  readonly numRunning: number;
  readonly numWaiting: number;
};

/** @returns `undefined` when no model of that name runs or would come back */
export async function loadOfModel(
  name: string,
  {
    supervisor,
    resting,
    router,
  }: {
    readonly supervisor: Supervisor;
    readonly resting: RestingModels;
    readonly router: Router;
  },
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
      const slots = slotsOf(instance.uid, supervisor);
      return { slots, numRunning, numWaiting: numWaiting + router.queueOf(instance).numWaiting };
    }
    default:
      return instance satisfies never;
  }
}
