import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import { note, type Terminal } from "../terminal.ts";

export function unregister(program: Command, terminal: Terminal): void {
  program
    .command("unregister")
    .description("Forget a registered model; its files stay, and what runs goes on.")
    .argument("[model]", "name of the model")
    .option("-n, --model-name <name>", "the model, as an option")
    .addOption(new Option("-t, --model-type <type>").choices(["LLM"]).hideHelp())
    .addHelpText("after", "\nExample:\n  $ atalaya unregister receipts")
    .action(async (model: string | undefined, flags: { readonly modelName?: string }) => {
      const name = model ?? flags.modelName;
      if (name === undefined) {
        throw new PlatformError(
          "invalid_request",
          "Say which model: atalaya unregister NAME. See atalaya registrations.",
        );
      }
      const settings = readSettings({}, terminal.env);
      await using platform = new Platform({ log: createLogger("silent"), settings });
      await platform.registry.unregister(name);
      note(terminal, `${name} is forgotten; its files are where they were.`);
    });
}
