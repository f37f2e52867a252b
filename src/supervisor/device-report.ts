/** The native engine's devices with what only their drivers' own tools know, and what keeps others away. */
import { hostMemory } from "../devices/host-memory.ts";
import { type GraphicsCard, listGraphicsCards } from "../devices/nvidia-smi.ts";
import { listEnvironments } from "../engines/environments.ts";
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
  const cuda =
    cards.length === 0
      ? undefined
      : (await listEnvironments()).find(({ engine }) => engine === "cuda");
  return toReport(probed, {
    cards,
    hostFreeBytes: hostMemory().availableBytes,
    cudaToInstall: cuda?.state === "not installed" ? cuda.detail : undefined,
  });
}

/** Pure. */
export function toReport(
  { devices, problems }: ProbedDevices,
  {
    cards,
    hostFreeBytes,
    cudaToInstall,
  }: {
    readonly cards: readonly GraphicsCard[];
    readonly hostFreeBytes: number;
    /** The size and the command, where CUDA could be installed; a sentence's end. */
    readonly cudaToInstall: string | undefined;
  },
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
      ...(cudaToInstall === undefined
        ? []
        : [
            `NVIDIA's cards can also be used through CUDA, which is not installed: ${cudaToInstall}.`,
          ]),
    ],
  };
}

const isSame = (name: string, card: GraphicsCard): boolean =>
  name.includes(card.name) || card.name.includes(name);
