/** The native engine's devices with what only their drivers' own tools know, and what keeps others away. */
import { hostMemory } from "../devices/host-memory.ts";
import { type GraphicsCard, listGraphicsCards } from "../devices/nvidia-smi.ts";
import { listNativeDevices, type ProbedDevices } from "../engines/list-devices.ts";

export type DeviceReport = {
  readonly devices: readonly (ProbedDevices["devices"][number] & {
    /** The driver's version, where it is known. */
    readonly driver?: string;
  })[];
  /** Sentences. */
  readonly missing: readonly string[];
};

export async function listDevices(): Promise<DeviceReport> {
  const [probed, cards] = await Promise.all([listNativeDevices(), listGraphicsCards()]);
  return toReport(probed, { cards, hostFreeBytes: hostMemory().availableBytes });
}

/** Pure. */
export function toReport(
  { devices, problems }: ProbedDevices,
  {
    cards,
    hostFreeBytes,
  }: { readonly cards: readonly GraphicsCard[]; readonly hostFreeBytes: number },
): DeviceReport {
  const unseen = cards.filter((card) => !devices.some(({ name }) => isSame(name, card)));
  return {
    devices: devices.map((device) => {
      const card = cards.find((each) => isSame(device.name, each));
      // ggml takes all memory of the machine for free.
      const freeBytes = device.kind === "cpu" ? hostFreeBytes : device.freeBytes;
      return { ...device, freeBytes, ...(card !== undefined && { driver: card.driverVersion }) };
    }),
    missing: [
      ...problems.map(({ reason }) => reason),
      ...unseen.map(
        ({ name, driverVersion }) =>
          `nvidia-smi sees ${name} (driver ${driverVersion}), and no back end of the native engine does. Install the driver's Vulkan part (libvulkan1 and the driver's own libraries), or launch with --model-engine vllm.`,
      ),
    ],
  };
}

const isSame = (name: string, card: GraphicsCard): boolean =>
  name.includes(card.name) || card.name.includes(name);
