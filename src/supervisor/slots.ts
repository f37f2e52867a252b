/** How many answers a model works on at one time. */
import type { Supervisor } from "./supervisor.ts";

/** What every engine takes at once when nothing was said at the launch. */
const defaultSlots = 16;

/** @returns of all its replicas together */
export function slotsOf(uid: string, supervisor: Supervisor): number {
  const instance = supervisor.find(uid);
  const numReady = instance?.replicas.list().filter(({ state }) => state === "ready").length ?? 1;
  const ofOne =
    instance === undefined ? undefined : supervisor.launchOptionsOf(instance.uid).maxNumSeqs;
  return (ofOne ?? defaultSlots) * Math.max(1, numReady);
}
