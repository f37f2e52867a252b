import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import { note, type Terminal } from "../terminal.ts";

type RegisterFlags = { readonly file?: string; readonly modelName?: string };

/** The largest registration anybody needs is a few kilobytes. */
const maxFileBytes = 256 * 1024;

export function register(program: Command, terminal: Terminal): void {
  program
    .command("register")
    .description(
      "Make a model known by name: from a file in Xinference's form, or from a checkpoint directory alone.",
    )
    .argument("[directory]", "checkpoint directory in Hugging Face layout")
    .option("-f, --file <file>", "JSON file with the model's name and specs")
    .option("-n, --model-name <name>", "name for the directory's model; its own when left out")
    // Words of Xinference's command; a registration is always kept, and there are only such models.
    .addOption(new Option("-t, --model-type <type>").choices(["LLM"]).hideHelp())
    .addOption(new Option("-p, --persist").hideHelp())
    .addHelpText(
      "after",
      `
Examples:
  $ atalaya register ./my-fine-tune --model-name receipts
  $ atalaya register --file model.json`,
    )
    .action((directory: string | undefined, flags: RegisterFlags) =>
      runRegister(directory, flags, terminal),
    );
}

async function runRegister(
  directory: string | undefined,
  { file, modelName }: RegisterFlags,
  terminal: Terminal,
): Promise<void> {
  if ((directory === undefined) === (file === undefined)) {
    throw new PlatformError(
      "invalid_request",
      "Say what to register, and one thing only: a checkpoint directory, or --file with a JSON file.",
    );
  }
  if (file !== undefined && modelName !== undefined) {
    throw new PlatformError(
      "invalid_request",
      'The file names its model itself. Change its "model_name", or leave --model-name out.',
    );
  }
  const settings = readSettings({}, terminal.env);
  await using platform = new Platform({ log: createLogger("silent"), settings });
  const { family, unused } =
    file === undefined
      ? await platform.registerDirectory(resolve(terminal.cwd, directory ?? ""), modelName)
      : await platform.registerFile(await readText(resolve(terminal.cwd, file)));
  if (unused.length > 0) {
    note(terminal, `Not used: ${unused.join(", ")}. The checkpoint's own are.`);
  }
  note(
    terminal,
    `${family.modelName} is registered. Launch it: atalaya launch ${family.modelName}`,
  );
}

async function readText(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) {
    throw new PlatformError("invalid_request", `There is no file ${path}. Name the JSON file.`);
  }
  if (info.size > maxFileBytes) {
    throw new PlatformError(
      "invalid_request",
      `${path} has ${info.size} bytes, and a registration has at most ${maxFileBytes}. Name the JSON file.`,
    );
  }
  return await readFile(path, "utf8");
}
