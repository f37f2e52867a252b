import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { openHub } from "../../platform.ts";
import { showBytes } from "../render/quantities.ts";
import { note, type Terminal } from "../terminal.ts";
import { addHubOption, type HubFlag, namedHub } from "./pull.ts";

type RemoveFlags = HubFlag & { readonly revision?: string; readonly yes?: boolean };

export function removeCache(program: Command, terminal: Terminal): void {
  const command = program
    .command("remove-cache")
    .description("Remove a model from the hubs' caches on this machine.")
    .argument("<repository>", "owner/name, as atalaya cached lists it")
    .option("--revision <name>", "only this branch, tag or commit, and what no other one needs")
    .option("-y, --yes", "do not ask first")
    .addHelpText(
      "after",
      "\nExample:\n  $ atalaya remove-cache meta-llama/Llama-3.2-11B-Vision-Instruct",
    )
    .action((repo: string, flags: RemoveFlags) => runRemove(repo, flags, terminal));
  addHubOption(command, "only from this hub's cache; auto means all");
}

async function runRemove(repo: string, flags: RemoveFlags, terminal: Terminal): Promise<void> {
  const hub = await openHub(terminal.env);
  const removal = await hub.planRemoval(repo, { hub: namedHub(flags), revision: flags.revision });
  const size = showBytes(removal.sizeBytes);
  if (flags.yes !== true) {
    if (!terminal.stdin.isTTY) {
      throw new PlatformError(
        "invalid_request",
        `This removes ${repo}, ${size}. Nobody can be asked here: say --yes to do it.`,
      );
    }
    for (const { directory } of removal.models) note(terminal, directory);
    if (!(await isYes(`Remove these ${size}? [y/N] `, terminal))) {
      note(terminal, "Nothing was removed.");
      return;
    }
  }
  await removal.remove();
  note(terminal, `Removed ${repo}, ${size}.`);
}

async function isYes(question: string, { stdin, stderr }: Terminal): Promise<boolean> {
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}
