/** Whether NVIDIA's driver is there, without loading anything of it. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

export function hasNvidiaDriver(): boolean {
  if (existsSync("/proc/driver/nvidia/version")) return true;
  const name = process.platform === "win32" ? "nvidia-smi.exe" : "nvidia-smi";
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .some((directory) => directory !== "" && existsSync(join(directory, name)));
}
