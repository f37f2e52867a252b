/** The devices that the native engine can use, asked for in a process of its own. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { promisify } from "node:util";
import { PlatformError } from "../base/errors.ts";
import { processArguments, workerEntry } from "../base/worker-entry.ts";
import type { AcceleratorProblem } from "../ggml/accelerators.ts";
import { CPU, type Device } from "../ggml/device.ts";
import type { DeviceWish } from "./device-wish.ts";

export type ProbedDevices = {
  readonly devices: readonly Device[];
  readonly problems: readonly Problem[];
};

/** Why a back end's devices are not among them, as a sentence. */
export type Problem = Pick<AcceleratorProblem, "reason"> & { readonly backend: string };

/** A driver that is not up after this long never will be. */
const PATIENCE_MS = 60_000;

/** Every device of every back end that is installed; the processor at least. */
export async function listNativeDevices(): Promise<ProbedDevices> {
  const entry = workerEntry(import.meta.url, "./device-probe");
  try {
    const { stdout } = await promisify(execFile)(process.execPath, processArguments(entry), {
      timeout: PATIENCE_MS,
      maxBuffer: 2 ** 20,
      windowsHide: true,
    });
    // Drivers print too.
    const line = stdout.trim().split("\n").at(-1) ?? "";
    return JSON.parse(line);
  } catch (error) {
    return { devices: [], problems: [{ backend: CPU, reason: whyProbeFailed(error) }] };
  }
}

function whyProbeFailed(error: unknown): string {
  const { signal, stderr } = Object(error);
  const lines = String(stderr ?? "")
    .trim()
    .split("\n");
  const last = (lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? "").slice(0, 200);
  const how = typeof signal === "string" ? `ended by ${signal}` : "failed";
  return `Asking the drivers for their devices ${how}${last === "" ? "" : `: ${last}`}. Look at the graphics driver.`;
}

/** Whether there may be a card, without loading a driver: where there is none, nothing needs to be asked. */
function mayHaveCard(): boolean {
  if (process.platform !== "linux")
    return process.platform !== "darwin" || process.arch === "arm64";
  const hasRenderNode = (): boolean =>
    existsSync("/dev/dri") && readdirSync("/dev/dri").some((name) => name.startsWith("render"));
  return hasRenderNode() || existsSync("/proc/driver/nvidia/gpus") || existsSync("/dev/dxg");
}

/** Whether devices have to be asked for at all. */
export function mayUseCard({ devices, gpuLayers }: DeviceWish): boolean {
  if (devices !== "auto") return devices.length > 0;
  return gpuLayers !== 0 && (mayHaveCard() || gpuLayers !== "auto");
}

/** An error about a device that is not there says why it may be missing. */
export function withProblems(error: unknown, problems: readonly Problem[]): unknown {
  if (!(error instanceof PlatformError) || error.code !== "engine_unavailable") return error;
  const message = [error.message, ...problems.map(({ reason }) => reason)].join(" ");
  return new PlatformError(error.code, message, { details: { param: "device" }, cause: error });
}
