import { type Command, Option } from "commander";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import { renderTable } from "../render/table.ts";
import type { Terminal } from "../terminal.ts";

const heads = ["Type", "Name", "Language", "Ability", "Is-built-in"];

export function registrations(program: Command, terminal: Terminal): void {
  program
    .command("registrations")
    .description("List the models that can be launched by name.")
    .option("--json", "print the families as JSON")
    .addOption(new Option("-t, --model-type <type>").choices(["LLM"]).hideHelp())
    .addHelpText("after", "\nExample:\n  $ atalaya registrations")
    .action(async ({ json }: { readonly json?: boolean }) => {
      const settings = readSettings({}, terminal.env);
      await using platform = new Platform({ log: createLogger("silent"), settings });
      const families = await platform.registry.list();
      terminal.stdout.write(
        json === true
          ? `${JSON.stringify(families, undefined, 2)}\n`
          : renderTable(
              heads,
              families.map(({ modelName, languages, abilities, isBuiltin }) => [
                "LLM",
                modelName,
                languages.join(", "),
                abilities.join(", "),
                isBuiltin ? "true" : "false",
              ]),
            ),
      );
    });
}
