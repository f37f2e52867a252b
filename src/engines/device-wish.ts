/** `device` and `gpu_layers` of a launch → what is asked for. Pure. */
import { PlatformError } from "../base/errors.ts";
import type { EngineOptions } from "./engine.ts";

export type DeviceWish = {
  /** `auto`: cards that are there, but for integrated ones and drivers that are software. */
  readonly devices: "auto" | readonly string[];
  /** Layers of the text model on cards, from the last one. */
  readonly gpuLayers: "auto" | "all" | number;
};

export const deviceOptions = ["device", "gpu_layers", "n_gpu_layers"] as const;

/**
 * @param options `device`: `auto`, or ids as `atalaya devices` has them, with commas; `gpu_layers`, or
 *   `n_gpu_layers` as in llama.cpp: a number, `all` or `auto`; −1 is `all` too
 * @throws PlatformError `invalid_request`
 */
export function readDeviceWish(options: EngineOptions = {}): DeviceWish {
  const { device = "auto", gpu_layers: ours, n_gpu_layers: theirs } = options;
  const devices = readDevices(device);
  const gpuLayers = readLayers(ours ?? theirs ?? "auto");
  if (devices !== "auto" && devices.length === 0 && gpuLayers !== "auto" && gpuLayers !== 0) {
    throw invalid(
      `\`--gpu-layers ${gpuLayers}\` and \`--device cpu\` contradict each other. Leave one of them out.`,
      "gpu_layers",
    );
  }
  return { devices, gpuLayers };
}

function readDevices(device: unknown): DeviceWish["devices"] {
  const ids = typeof device === "string" ? device.toLowerCase().split(",") : [];
  const isList = ids.length > 0 && ids.every((id) => /^[a-z]{2,12}\d{0,3}$/.test(id));
  if (!isList) {
    throw invalid(
      "`--device` is not the name of a device, or several with commas. `atalaya devices` lists them; auto and cpu are names too.",
      "device",
    );
  }
  if (ids.includes("auto")) return "auto";
  // `cuda` alone is the first one.
  const named = ids.filter((id) => id !== "cpu").map((id) => (/\d$/.test(id) ? id : `${id}0`));
  return [...new Set(named)];
}

function readLayers(layers: unknown): DeviceWish["gpuLayers"] {
  if (layers === "auto" || layers === "all") return layers;
  if (layers === -1) return "all";
  if (typeof layers === "number" && Number.isInteger(layers) && layers >= 0) return layers;
  throw invalid("`--gpu-layers` is not a whole number, all or auto.", "gpu_layers");
}

function invalid(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
