/** What graphs can be computed on: the processor, and graphics cards through a back end of ggml. */
import type { GgmlLibrary } from "./library.ts";
import type { Pointer } from "./symbols.ts";

export type DeviceKind = "cpu" | "gpu" | "integrated" | "accelerator";

export type Device = {
  /** `cpu`, or the back end and its own number: `vulkan0`, `cuda1`, `metal0`. */
  readonly id: string;
  /** As its driver calls it. */
  readonly name: string;
  /** `cpu`, `vulkan`, `cuda` or `metal`. */
  readonly backend: string;
  readonly kind: DeviceKind;
  /** A driver that computes on the processor, such as Mesa's lavapipe: right, and slow. */
  readonly isSoftware: boolean;
  readonly freeBytes: number;
  readonly totalBytes: number;
};

/** The processor's id; it is always there. */
export const CPU = "cpu";

/** A device, and ggml's handle of it; for `src/ggml` only. */
export type FoundDevice = { readonly device: Device; readonly handle: Pointer };

/** `enum ggml_backend_dev_type` */
const kinds: Readonly<Record<number, DeviceKind>> = { 0: "cpu", 1: "gpu", 2: "integrated" };

/** ggml's names of back ends → ours. */
const backendNames: Readonly<Record<string, string>> = { mtl: "metal" };

const softwareDrivers = /llvmpipe|lavapipe|swiftshader|software rasterizer|basic render/i;

/** Devices of the back ends that are loaded, in the order that ggml has them. */
export function findDevices({ base, registry }: GgmlLibrary): readonly FoundDevice[] {
  const numOf = new Map<string, number>();
  return Array.from({ length: Number(registry.ggml_backend_dev_count()) }, (_, index) => {
    const handle: Pointer = registry.ggml_backend_dev_get(index);
    const registered = String(
      base.ggml_backend_reg_name(base.ggml_backend_dev_backend_reg(handle)),
    ).toLowerCase();
    const backend = backendNames[registered] ?? registered;
    const number = numOf.get(backend) ?? 0;
    numOf.set(backend, number + 1);
    const [free, total]: [number[], number[]] = [[0], [0]];
    base.ggml_backend_dev_memory(handle, free, total);
    const name = String(base.ggml_backend_dev_description(handle)).trim();
    const kind = kinds[Number(base.ggml_backend_dev_type(handle))] ?? "accelerator";
    const device = {
      id: kind === "cpu" ? CPU : `${backend}${number}`,
      name,
      backend,
      kind,
      isSoftware: kind !== "cpu" && softwareDrivers.test(name),
      freeBytes: Number(free[0] ?? 0),
      totalBytes: Number(total[0] ?? 0),
    };
    return { device, handle };
  });
}
