import { readdir } from "node:fs/promises";

export { listGraphicsCards } from "../devices/nvidia-smi.ts";

/**
 * Number of NVIDIA cards that processes of this one may use.
 *
 * The driver lists what the machine has; CUDA_VISIBLE_DEVICES may leave some of them out.
 */
export async function countGpus(env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const cards = await readdir("/proc/driver/nvidia/gpus").catch(() => []);
  const visible = env["CUDA_VISIBLE_DEVICES"];
  if (visible === undefined) return cards.length;
  const named = visible.split(",").filter((name) => name.trim() !== "" && name.trim() !== "-1");
  return Math.min(cards.length, named.length);
}
