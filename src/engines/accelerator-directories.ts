/** Where ggml's back ends for graphics cards lie on this machine. */
import { type AcceleratorDirectories, findVulkanDirectory } from "../ggml/accelerators.ts";

/** Those that are installed. */
export function acceleratorDirectories(): AcceleratorDirectories {
  const vulkan = findVulkanDirectory();
  return vulkan === undefined ? {} : { vulkan };
}
