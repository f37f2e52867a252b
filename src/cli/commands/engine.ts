import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import { renderTable } from "../render/table.ts";
import type { Terminal } from "../terminal.ts";
import { addEnvironmentCommands } from "./engine-environments.ts";

type EngineFlags = {
  readonly modelName?: string;
  readonly modelEngine?: string;
  readonly modelSizeInBillions?: string;
  readonly modelFormat?: string;
  readonly quantization?: string;
};

const heads = ["Name", "Engine", "Format", "Size (in billions)", "Quantization", "Here"];

export function engine(program: Command, terminal: Terminal): void {
  const command = program
    .command("engine")
    .description("List which engines can run a model on this machine, and what keeps the others.")
    .argument("[model]", "name of a model as NAME or NAME:SIZE")
    .option("-n, --model-name <name>", "the model, as an option")
    .option("--model-engine <name>", "only this engine")
    .addOption(new Option("-s, --model-size-in-billions <size>", "only this size"))
    .option("-f, --model-format <format>", "only this form of its files")
    .option("-q, --quantization <name>", "only this quantization")
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya engine llama-3.2-vision\n  $ atalaya engine install transformers",
    )
    .action((model: string | undefined, flags: EngineFlags) => runEngine(model, flags, terminal));
  addEnvironmentCommands(command, terminal);
}

async function runEngine(
  model: string | undefined,
  flags: EngineFlags,
  terminal: Terminal,
): Promise<void> {
  const name = model ?? flags.modelName;
  if (name === undefined) {
    throw new PlatformError(
      "invalid_request",
      "Say which model: atalaya engine llama-3.2-vision. See atalaya registrations.",
    );
  }
  const settings = readSettings({}, terminal.env);
  await using platform = new Platform({ log: createLogger("silent"), settings });
  const rows = await platform.supervisor.matchModel({
    name,
    engine: flags.modelEngine,
    size: flags.modelSizeInBillions,
    format: flags.modelFormat,
    quantization: flags.quantization,
  });
  terminal.stdout.write(
    renderTable(
      heads,
      rows.map(({ modelName, engine: { title, quantizations, obstacle }, format, size }) => [
        modelName,
        title,
        format,
        `${size}`,
        quantizations.join(", "),
        obstacle === undefined ? "runs here" : `${obstacle.reason} ${obstacle.remedy}`,
      ]),
    ),
  );
}
