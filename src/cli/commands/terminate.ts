import { AtalayaClient } from "@atalaya/client";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { addEndpointOption } from "../options.ts";
import { note, type Terminal } from "../terminal.ts";

type TerminateFlags = SettingFlags & { readonly modelUid?: string };

export function terminate(program: Command, terminal: Terminal): void {
  const command = program
    .command("terminate")
    .description("Terminate a model; its answers under way may end first, for up to 30 seconds.")
    .argument("[uid]", "the model's uid")
    .option("-u, --model-uid <uid>", "the model's uid")
    .addHelpText("after", "\nExample:\n  $ atalaya terminate demo")
    .action((uid: string | undefined, flags: TerminateFlags) =>
      runTerminate(uid ?? flags.modelUid, flags, terminal),
    );
  addEndpointOption(command);
}

async function runTerminate(
  uid: string | undefined,
  flags: TerminateFlags,
  terminal: Terminal,
): Promise<void> {
  if (uid === undefined) {
    throw new PlatformError(
      "invalid_request",
      "Say which model: atalaya terminate UID. See atalaya list.",
    );
  }
  const client = new AtalayaClient(readSettings(flags, terminal.env));
  await client.terminate(uid);
  note(terminal, `${uid} is terminated.`);
}
