import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import { whole } from "../options.ts";
import type { Terminal } from "../terminal.ts";

type MemoryFlags = {
  readonly modelName?: string;
  readonly sizeInBillions: string;
  readonly modelFormat: string;
  readonly quantization?: string;
  readonly contextLength: number;
  readonly kvCacheDtype: "8" | "16" | "32";
};

/** Xinference reckons without a name, too; this server has one family. */
const defaultModel = "llama-3.2-vision";

export function calModelMem(program: Command, terminal: Terminal): void {
  program
    .command("cal-model-mem")
    .description("Reckon the memory of a model, in the form of Xinference's command of that name.")
    .option("-n, --model-name <name>", `name of a model (default: ${defaultModel})`)
    .requiredOption("-s, --size-in-billions <size>", "which size of the model, such as 11")
    .requiredOption("-f, --model-format <format>", "form of its files, such as pytorch")
    .option("-q, --quantization <name>", "what the weights are made into; none when left out")
    .requiredOption("-c, --context-length <tokens>", "tokens of prompt and answer", whole(1))
    .addOption(
      new Option("--kv-cache-dtype <bits>", "bits of a number in the KV cache")
        .choices(["8", "16", "32"])
        .default("16"),
    )
    .addHelpText(
      "after",
      "\nMore is told by: atalaya launch MODEL --estimate\n\nExample:\n  $ atalaya cal-model-mem -n llama-3.2-vision -s 11 -f pytorch -c 8192",
    )
    .action((flags: MemoryFlags) => runCalModelMem(flags, terminal));
}

async function runCalModelMem(flags: MemoryFlags, terminal: Terminal): Promise<void> {
  const settings = readSettings({}, terminal.env);
  await using platform = new Platform({ log: createLogger("silent"), settings });
  const name = flags.modelName ?? defaultModel;
  const bits = Number(flags.kvCacheDtype);
  const reckoned = await platform.reckonMemory({
    name,
    size: flags.sizeInBillions,
    format: flags.modelFormat,
    quantization: flags.quantization,
    contextLength: flags.contextLength,
    kvBits: bits,
  });
  if (reckoned === undefined) {
    throw new PlatformError(
      "invalid_request",
      `How large ${name} is inside is not known before its files are here. Ask with atalaya launch ${name} --estimate.`,
    );
  }
  const { size, weightBytes, kvBytes, overheadBytes, activeBytes } = reckoned;
  const total = weightBytes + kvBytes + overheadBytes + activeBytes;
  // The form, spelling and units are Xinference's: scripts read them.
  terminal.stdout.write(`model_name: ${flags.modelName ?? "None"}
kv_cache_dtype: ${bits}
model size: ${size.toFixed(1)} B
quant: ${flags.quantization ?? "None"}
context: ${flags.contextLength}
gpu mem usage:
  model mem: ${megabytes(weightBytes)} MB
  kv_cache: ${megabytes(kvBytes)} MB
  overhead: ${megabytes(overheadBytes)} MB
  active: ${megabytes(activeBytes)} MB
  total: ${megabytes(total)} MB (${(total / 2 ** 30).toFixed(2)} GB)
`);
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
