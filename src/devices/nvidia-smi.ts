/**
 * NVIDIA's graphics cards, as the driver's own tool lists them. No library of the driver is loaded.
 *
 * @see nvidia-smi --help-query-gpu
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export type GraphicsCard = {
  /** As the driver numbers them. */
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Such as 8.9; `undefined` when an old driver does not tell. */
  readonly computeCapability: number | undefined;
  /** Such as `550.54.15`. */
  readonly driverVersion: string;
};

const fields = [
  "index",
  "uuid",
  "name",
  "memory.total",
  "memory.free",
  "compute_cap",
  "driver_version",
] as const;

/** A driver that hangs is as good as none. */
const patienceMs = 10_000;
const MiB = 2 ** 20;

/** The cards that programs started from here can use; none when there is no driver, or it does not answer. */
export async function listGraphicsCards(
  env: NodeJS.ProcessEnv = process.env,
): Promise<readonly GraphicsCard[]> {
  const args = [`--query-gpu=${fields.join(",")}`, "--format=csv,noheader,nounits"];
  try {
    const { stdout } = await promisify(execFile)("nvidia-smi", args, {
      timeout: patienceMs,
      windowsHide: true,
    });
    return visibleCards(parseGraphicsCards(stdout), env["CUDA_VISIBLE_DEVICES"]);
  } catch {
    return [];
  }
}

/** @param text what `nvidia-smi` printed; lines that are no card are skipped */
export function parseGraphicsCards(text: string): readonly GraphicsCard[] {
  return text.split("\n").flatMap((line) => {
    const [index, uuid, name, total, free, capability, driverVersion] = line
      .split(",")
      .map((field) => field.trim());
    if (!/^\d+$/.test(index ?? "") || !/^\d+$/.test(total ?? "") || !/^\d+$/.test(free ?? "")) {
      return [];
    }
    return [
      {
        index: Number(index),
        uuid: uuid ?? "",
        name: name ?? "",
        totalBytes: Number(total) * MiB,
        freeBytes: Number(free) * MiB,
        computeCapability: /^\d+\.\d+$/.test(capability ?? "") ? Number(capability) : undefined,
        driverVersion: driverVersion ?? "",
      },
    ];
  });
}

/**
 * @param visible as CUDA reads it: indices or the beginnings of ids, in the order they are to have; what
 *   comes after one that is unknown does not count
 * @see CUDA C++ Programming Guide, "CUDA Environment Variables"
 */
export function visibleCards(
  cards: readonly GraphicsCard[],
  visible: string | undefined,
): readonly GraphicsCard[] {
  if (visible === undefined) return cards;
  const chosen: GraphicsCard[] = [];
  for (const word of visible.split(",").map((part) => part.trim())) {
    const card = cards.find(
      ({ index, uuid }) =>
        word !== "" && (`${index}` === word || (word.startsWith("GPU-") && uuid.startsWith(word))),
    );
    if (card === undefined || chosen.includes(card)) break;
    chosen.push(card);
  }
  return chosen;
}
