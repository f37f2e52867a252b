import { AtalayaClient } from "@atalaya/client";
import type { ModelRecord } from "@atalaya/protocol";
import type { Command } from "commander";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { addEndpointOption } from "../options.ts";
import { describeProgress } from "../render/progress.ts";
import { renderTable } from "../render/table.ts";
import { note, type Terminal } from "../terminal.ts";

const heads = [
  "UID",
  "Type",
  "Name",
  "Format",
  "Size (in billions)",
  "Quantization",
  "Engine",
  "Replicas",
  "State",
  "From",
];

export function list(program: Command, terminal: Terminal): void {
  const command = program
    .command("list")
    .description("List the models of a running server.")
    .option("--json", "print the records as JSON")
    .addHelpText("after", "\nExample:\n  $ atalaya list")
    .action((flags: SettingFlags & { readonly json?: boolean }) => runList(flags, terminal));
  addEndpointOption(command);
}

async function runList(
  flags: SettingFlags & { readonly json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const client = new AtalayaClient(readSettings(flags, terminal.env));
  const models = await client.listModels({ state: "all" });
  if (flags.json === true) {
    terminal.stdout.write(`${JSON.stringify(models, undefined, 2)}\n`);
  } else if (models.length === 0) {
    note(
      terminal,
      `No model is running at ${client.endpoint}. Launch one: atalaya launch DIRECTORY`,
    );
  } else {
    terminal.stdout.write(renderTable(heads, models.map(toRow)));
  }
}

function toRow(model: ModelRecord): string[] {
  return [
    model.id,
    model.model_type,
    model.model_name,
    model.model_format,
    model.model_size_in_billions?.toString() ?? "",
    model.quantization,
    model.model_engine,
    `${model.replica}`,
    describeState(model),
    model.model_source ?? "",
  ];
}

function describeState({ state, progress, error }: ModelRecord): string {
  if (error !== undefined) return `${state}: ${error.message}`;
  if (progress === undefined) return state;
  const { stage, fraction } = progress;
  return `${state}: ${describeProgress({ stage, fraction: fraction ?? undefined })}`;
}
