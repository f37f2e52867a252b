import { type Command, Option } from "commander";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import type { Terminal } from "../terminal.ts";

export function modelCard(program: Command, terminal: Terminal): void {
  program
    .command("model-card")
    .description("Print the documentation page of a model, from the registry's own data.")
    .argument("<model>", "name of a model, or its id on a hub")
    .addOption(
      new Option("--format <format>", "reStructuredText or Markdown")
        .choices(["rst", "md"])
        .default("rst"),
    )
    .addHelpText("after", "\nExample:\n  $ atalaya model-card llama-3.2-vision --format md")
    .action(async (model: string, { format }: { readonly format: "rst" | "md" }) => {
      const settings = readSettings({}, terminal.env);
      await using platform = new Platform({ log: createLogger("silent"), settings });
      terminal.stdout.write(await platform.modelCard(model, format));
    });
}
