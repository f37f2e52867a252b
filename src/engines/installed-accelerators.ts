/** Where ggml's back ends for graphics cards lie on this machine. */
import { findVulkan, type InstalledAccelerators } from "../ggml/accelerators.ts";
import { findCuda } from "./cuda/environment-spec.ts";

/** Those that are installed. */
export async function installedAccelerators(): Promise<InstalledAccelerators> {
  const [cuda, vulkan] = [await findCuda(), findVulkan()];
  return { ...(cuda !== undefined && { cuda }), ...(vulkan !== undefined && { vulkan }) };
}
