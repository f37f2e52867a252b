/** `atalaya devices`: what the native engine can compute on here, and what is missing. */
import type { Command } from "commander";
import { listDevices } from "../../platform.ts";
import { showBytes } from "../render/quantities.ts";
import { renderTable } from "../render/table.ts";
import type { Terminal } from "../terminal.ts";

export function devices(program: Command, terminal: Terminal): void {
  program
    .command("devices")
    .description("List what the native engine can run on: the processor, and graphics cards.")
    .option("--json", "print them as JSON")
    .addHelpText(
      "after",
      `
Their names are those of --device. A device that is software is taken only when it is named.

Examples:
  $ atalaya devices
  $ atalaya launch ./Llama-3.2-11B-Vision-Instruct --device vulkan0 --gpu-layers 20`,
    )
    .action((flags: { readonly json?: boolean }) => runDevices(flags, terminal));
}

async function runDevices(
  { json = false }: { readonly json?: boolean },
  { stdout }: Terminal,
): Promise<void> {
  const report = await listDevices();
  if (json) {
    stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    return;
  }
  const rows = report.devices.map(({ id, name, backend, kind, isSoftware, ...memory }) => [
    id,
    name,
    isSoftware ? "software" : kind,
    backend,
    showBytes(memory.freeBytes),
    showBytes(memory.totalBytes),
    memory.driver ?? "",
  ]);
  stdout.write(
    renderTable(["Device", "Name", "Kind", "Back end", "Free", "Memory", "Driver"], rows),
  );
  for (const sentence of report.missing) stdout.write(`\n${sentence}\n`);
}
