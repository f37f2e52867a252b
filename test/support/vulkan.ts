/** A Vulkan device for the tests: Mesa's lavapipe computes on the processor, without a card. */
import { findVulkan, listDevices, loadAccelerators } from "../../src/ggml/accelerators.ts";

/** What keeps Vulkan from running here, in words; loads it otherwise. */
export function lackOfVulkan(): string | undefined {
  const vulkan = findVulkan();
  if (vulkan === undefined) return "package of ggml's Vulkan back end for this machine";
  const [problem] = loadAccelerators({ vulkan });
  if (problem !== undefined) return "Vulkan driver";
  const hasDevice = listDevices().some(({ id }) => id === "vulkan0");
  return hasDevice ? undefined : "Vulkan device (Debian's mesa-vulkan-drivers has one)";
}
