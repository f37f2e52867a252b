import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { type CachedModel, openHub, Platform } from "../../platform.ts";
import { showBytes } from "../render/quantities.ts";
import { note, type Terminal } from "../terminal.ts";
import { addHubOption, type HubFlag, namedHub } from "./pull.ts";

type RemoveFlags = HubFlag & { readonly revision?: string; readonly yes?: boolean };

export function removeCache(program: Command, terminal: Terminal): void {
  const command = program
    .command("remove-cache")
    .description("Remove a model from the hubs' caches on this machine.")
    .argument("<model>", "owner/name, as atalaya cached lists it, or a name as NAME or NAME:SIZE")
    .option("--revision <name>", "only this branch, tag or commit, and what no other one needs")
    .option("-y, --yes", "do not ask first")
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya remove-cache meta-llama/Llama-3.2-11B-Vision-Instruct\n  $ atalaya remove-cache llama-3.2-vision-instruct:11b",
    )
    .action((repo: string, flags: RemoveFlags) => runRemove(repo, flags, terminal));
  addHubOption(command, "only from this hub's cache; auto means all");
}

async function runRemove(model: string, flags: RemoveFlags, terminal: Terminal): Promise<void> {
  const hub = await openHub(terminal.env);
  const repo = await repoInCache(model, await hub.list(), terminal);
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

/** A name of the registry stands for the one repository of it that is in the caches. */
async function repoInCache(
  model: string,
  cached: readonly CachedModel[],
  terminal: Terminal,
): Promise<string> {
  if (model.includes("/")) return model;
  const settings = readSettings({}, terminal.env);
  await using platform = new Platform({ log: createLogger("silent"), settings });
  const known = await platform.repoToPull(model);
  if (typeof known === "string") return known;
  const names = Object.values(known).flatMap(({ repo, aliases = [] }) => [repo, ...aliases]);
  const here = [...new Set(cached.map(({ repo }) => repo))].filter((repo) => names.includes(repo));
  const [first] = here;
  if (here.length > 1) {
    throw new PlatformError(
      "invalid_request",
      `${model} is in the caches as ${here.join(" and ")}. Name the one to remove.`,
    );
  }
  return first ?? names[0] ?? model;
}

async function isYes(question: string, { stdin, stderr }: Terminal): Promise<boolean> {
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}
