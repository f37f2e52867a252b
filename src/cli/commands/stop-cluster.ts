import { createInterface } from "node:readline/promises";
import { AtalayaClient } from "@atalaya/client";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { addEndpointOption } from "../options.ts";
import { note, type Terminal } from "../terminal.ts";

type StopFlags = SettingFlags & { readonly check?: boolean };

export function stopCluster(program: Command, terminal: Terminal): void {
  const command = program
    .command("stop-cluster")
    .description(
      "Stop a running server, after its answers under way; its models come back with it.",
    )
    .option("--check", "do not ask first")
    .addHelpText("after", "\nExample:\n  $ atalaya stop-cluster")
    .action((flags: StopFlags) => runStop(flags, terminal));
  addEndpointOption(command);
}

async function runStop(flags: StopFlags, terminal: Terminal): Promise<void> {
  const client = new AtalayaClient(readSettings(flags, terminal.env));
  const models = await client.listModels({ state: "all" });
  const names = models.map(({ id }) => id).join(", ");
  note(terminal, `The server at ${client.endpoint} has ${names === "" ? "no model" : names}.`);
  if (flags.check !== true) {
    if (!terminal.stdin.isTTY) {
      throw new PlatformError(
        "invalid_request",
        "This stops the server, and nobody can be asked here: say --check to do it.",
      );
    }
    const lines = createInterface({ input: terminal.stdin, output: terminal.stderr });
    const answer = await lines.question("Stop it? [y/N] ").finally(() => lines.close());
    if (!/^y(es)?$/i.test(answer.trim())) {
      note(terminal, "It goes on.");
      return;
    }
  }
  await client.stopServer();
  note(terminal, "It is stopping: answers under way get 30 seconds.");
}
