/**
 * What Vulkan's drivers have, asked from the loader itself before ggml is: how many devices, and which of
 * them are a processor in disguise.
 *
 * @see Vulkan 1.0: vkCreateInstance, vkEnumeratePhysicalDevices, VkPhysicalDeviceProperties
 */
import koffi from "koffi";

const VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO = 1;
const VK_PHYSICAL_DEVICE_TYPE_CPU = 4;
/** `sizeof(VkPhysicalDeviceProperties)` is 824; a later version may write more. */
const PROPERTIES_BYTES = 4_096;
const DEVICE_TYPE_OFFSET = 16;
/** `sizeof(VkInstanceCreateInfo)` on 64-bit machines. */
const CREATE_INFO_BYTES = 64;
const MAX_DEVICES = 64;

/** None of either where there is no Vulkan. */
export function countVulkanDevices(): { readonly numCards: number; readonly numSoftware: number } {
  const types = deviceTypes();
  const numSoftware = types.filter((type) => type === VK_PHYSICAL_DEVICE_TYPE_CPU).length;
  return { numCards: types.length - numSoftware, numSoftware };
}

function deviceTypes(): readonly number[] {
  const loader = openLoader();
  if (loader === undefined) return [];
  const createInstance = loader.func("int vkCreateInstance(void* info, void* allocator, void* to)");
  const enumerate = loader.func(
    "int vkEnumeratePhysicalDevices(void* instance, _Inout_ uint32_t* count, void* devices)",
  );
  const properties = loader.func("void vkGetPhysicalDeviceProperties(void* device, void* to)");
  const destroy = loader.func("void vkDestroyInstance(void* instance, void* allocator)");

  const info = Buffer.alloc(CREATE_INFO_BYTES);
  info.writeUInt32LE(VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, 0);
  const instanceAt = Buffer.alloc(8);
  if (createInstance(info, null, instanceAt) !== 0) return [];
  const instance = instanceAt.readBigUInt64LE(0);
  try {
    const count = [MAX_DEVICES];
    const devices = Buffer.alloc(8 * MAX_DEVICES);
    if (enumerate(instance, count, devices) < 0) return [];
    return Array.from({ length: count[0] ?? 0 }, (_, index) => {
      const found = Buffer.alloc(PROPERTIES_BYTES);
      properties(devices.readBigUInt64LE(8 * index), found);
      return found.readUInt32LE(DEVICE_TYPE_OFFSET);
    });
  } finally {
    destroy(instance, null);
  }
}

function openLoader(): ReturnType<typeof koffi.load> | undefined {
  try {
    return koffi.load(process.platform === "win32" ? "vulkan-1.dll" : "libvulkan.so.1");
  } catch {
    return undefined;
  }
}
