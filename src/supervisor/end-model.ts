/** Terminating by somebody's wish: also what rests, and what could not be brought back. */
import type { KeptModels } from "./kept-models.ts";
import type { RestingModels } from "./resting-models.ts";
import type { Supervisor } from "./supervisor.ts";

/** @throws PlatformError `model_not_found` */
export async function endModel(
  uid: string,
  {
    supervisor,
    resting,
    kept,
  }: {
    readonly supervisor: Supervisor;
    readonly resting: RestingModels;
    readonly kept: KeptModels;
  },
): Promise<void> {
  const rested = resting.forget(uid);
  const isRunning = supervisor.list().some((instance) => instance.uid === uid);
  if (isRunning) {
    await supervisor.terminate(uid);
    return;
  }
  const wasKept = await kept.forget(uid);
  // Says that there is none, and what there is.
  if (!rested && !wasKept) await supervisor.terminate(uid);
}
