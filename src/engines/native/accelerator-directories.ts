/** Where ggml's back ends for graphics cards lie on this machine. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { atalayaHome } from "../../base/home.ts";
import { type AcceleratorDirectories, findVulkanDirectory } from "../../ggml/accelerators.ts";

/** What the packages are called and numbered that ggml comes in; see docs/adr/0003. */
export const ACCELERATOR_VERSION = "3.21.1";

/** Where the CUDA back end is installed on request. */
export function cudaDirectory(): string {
  return join(atalayaHome(process.env), "engines", `native-cuda-${ACCELERATOR_VERSION}`);
}

/** Those that are installed. */
export function acceleratorDirectories(): AcceleratorDirectories {
  const vulkan = findVulkanDirectory();
  const cuda = cudaDirectory();
  return {
    ...(vulkan !== undefined && { vulkan }),
    ...(existsSync(cuda) && { cuda }),
  };
}
