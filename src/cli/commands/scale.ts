import { AtalayaClient } from "@atalaya/client";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { addEndpointOption, whole } from "../options.ts";
import { note, type Terminal } from "../terminal.ts";

type ScaleFlags = SettingFlags & { readonly replica: number; readonly modelUid?: string };

export function scale(program: Command, terminal: Terminal): void {
  const command = program
    .command("scale")
    .description("Give a running model more processes, or fewer; no answer is cut short.")
    .argument("[uid]", "the model's uid")
    .option("-u, --model-uid <uid>", "the model's uid")
    .requiredOption("-r, --replica <count>", "processes that it shall have", whole(1, 64))
    .addHelpText("after", "\nExample:\n  $ atalaya scale vision --replica 2")
    .action((uid: string | undefined, flags: ScaleFlags) =>
      runScale(uid ?? flags.modelUid, flags, terminal),
    );
  addEndpointOption(command);
}

async function runScale(
  uid: string | undefined,
  flags: ScaleFlags,
  terminal: Terminal,
): Promise<void> {
  if (uid === undefined) {
    throw new PlatformError(
      "invalid_request",
      "Say which model: atalaya scale UID --replica 2. See atalaya list.",
    );
  }
  const client = new AtalayaClient(readSettings(flags, terminal.env));
  const replicas = await client.listReplicas(uid);
  for (let count = replicas.length; count < flags.replica; count++) {
    const { replica_id: id } = await client.addReplica(uid);
    note(terminal, `Replica ${id} is ready.`);
  }
  // The youngest go first.
  for (const { replica_id: id } of replicas.slice(flags.replica).toReversed()) {
    await client.removeReplica(uid, id);
    note(terminal, `Replica ${id} is removed.`);
  }
  note(terminal, `${uid} has ${flags.replica === 1 ? "1 replica" : `${flags.replica} replicas`}.`);
}
