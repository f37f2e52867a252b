/** What keeps vLLM from a machine's graphics cards, read from the driver's own tool. */
import { type GraphicsCard, listGraphicsCards } from "../../devices/nvidia-smi.ts";
import type { Obstacle } from "../engine.ts";
import { hasNvidiaDriver } from "../python/cuda.ts";

/** The first branch of the driver that runs programs made for CUDA 12. */
const OLDEST_DRIVER = 525;
/** Volta; vLLM 0.10.2's kernels are made for nothing older. */
const OLDEST_CAPABILITY = 7;

const elsewhere =
  "Launch with --model-engine native, which needs no card, or leave --model-engine out.";

export async function findCardObstacle(): Promise<Obstacle | undefined> {
  if (process.platform !== "linux") {
    return {
      reason: "The engine vLLM runs on Linux with an NVIDIA graphics card.",
      remedy: elsewhere,
    };
  }
  return cardObstacle(await listGraphicsCards(), { hasDriver: hasNvidiaDriver() });
}

/** @param cards those that a program started from here can use */
export function cardObstacle(
  cards: readonly Pick<GraphicsCard, "name" | "driverVersion" | "computeCapability">[],
  { hasDriver }: { readonly hasDriver: boolean },
): Obstacle | undefined {
  const [card] = cards;
  if (card === undefined) {
    return hasDriver
      ? {
          reason:
            "NVIDIA's driver is installed, and it shows the engine vLLM no graphics card that it could use.",
          remedy: `See what nvidia-smi prints and whether CUDA_VISIBLE_DEVICES hides the card. ${elsewhere}`,
        }
      : {
          reason: "The engine vLLM needs an NVIDIA graphics card, and this machine has none.",
          remedy: elsewhere,
        };
  }
  const [branch] = card.driverVersion.split(".").map(Number);
  if (branch !== undefined && branch < OLDEST_DRIVER) {
    return {
      reason: `NVIDIA's driver ${card.driverVersion} is too old for the engine vLLM, which needs ${OLDEST_DRIVER} or newer.`,
      remedy: `Install a newer driver, best 570 or later. Until then: --model-engine native.`,
    };
  }
  const { name, computeCapability } = card;
  if (computeCapability !== undefined && computeCapability < OLDEST_CAPABILITY) {
    return {
      reason: `The ${name} has compute capability ${computeCapability}; the engine vLLM needs ${OLDEST_CAPABILITY}.0 or more.`,
      remedy: elsewhere,
    };
  }
  return undefined;
}
