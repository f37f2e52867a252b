import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import addCompletion from "@bomb.sh/tab/commander";
import type { Command } from "commander";
import { z } from "zod";
import { builtinModels } from "../../config/package.ts";
import { permissions } from "../../platform.ts";

/** Last of all: it completes the commands that are there by then. */
export function completion(program: Command): void {
  const root = addCompletion(program, { completionCommandName: "completion" });
  for (const name of ["serve", "launch", "run", "chat", "mcp", "pull", "model-card", "engine"]) {
    const command = root.commands.get(name);
    for (const argument of command?.arguments.values() ?? []) {
      argument.handler = (complete) => {
        for (const model of launchable()) complete(model, "");
      };
    }
  }
  for (const name of ["key create", "key set", "user add", "user set"]) {
    const scope = root.commands.get(name)?.options.get("scope");
    if (scope === undefined) continue;
    scope.handler = (complete) => {
      for (const [role, meaning] of Object.entries(scopes)) complete(role, meaning);
      for (const permission of permissions) complete(permission, "");
    };
  }
  program.commands
    .find((command) => command.name() === "completion")
    ?.description("Print a script that completes commands and options in your shell.")
    .addHelpText(
      "after",
      `
Examples:
  $ atalaya completion bash > ~/.local/share/bash-completion/completions/atalaya
  $ source <(atalaya completion zsh)
  $ atalaya completion fish > ~/.config/fish/completions/atalaya.fish`,
    );
}

const scopes = {
  inference: "list and ask models",
  operator: "also launch, terminate, register, metrics, logs",
  admin: "everything",
};

/** What can be launched by name without having registered it, as the files that we ship say. */
function launchable(): string[] {
  const directory = builtinModels();
  const names = readdirSync(directory).flatMap((file) => {
    const family = shipped.parse(JSON.parse(readFileSync(join(directory, file), "utf8")));
    const sizes = new Set(family.model_specs.map((spec) => spec.model_size_in_billions));
    return [...sizes].map((size) => `${family.model_name}:${size}b`);
  });
  return ["demo", ...names];
}

const shipped = z.object({
  model_name: z.string(),
  model_specs: z.array(z.object({ model_size_in_billions: z.union([z.number(), z.string()]) })),
});
