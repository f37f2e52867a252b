import { type Command, Option } from "commander";
import { createLogger } from "../../base/logger.ts";
import { readSettings } from "../../config/settings.ts";
import { openHub, Platform } from "../../platform.ts";
import { collect } from "../options.ts";
import { showPull } from "../render/pull-progress.ts";
import { showBytes } from "../render/quantities.ts";
import { listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";

type PullFlags = HubFlag & {
  readonly revision?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly verify?: boolean;
};

export type HubFlag = { readonly hub: "huggingface" | "modelscope" | "auto" };

export function pull(program: Command, terminal: Terminal): void {
  const command = program
    .command("pull")
    .description(
      "Download a model from a hub into its cache. What is there already is not fetched again.",
    )
    .argument("<model>", "name of a model as NAME or NAME:SIZE, or owner/name on the hub")
    .option("--revision <name>", "branch, tag or commit (default: main; on ModelScope master)")
    .option(
      "--include <pattern>",
      "only files that match, such as *.json; may be repeated",
      collect,
    )
    .option("--exclude <pattern>", "no files that match; may be repeated", collect)
    .option("--verify", "also compare the checksums of files that are there already")
    .addHelpText(
      "after",
      `
Prints the directory it is in. Pickles and the repository's own code are never downloaded.

Examples:
  $ atalaya pull llama-3.2-vision-instruct:11b
  $ atalaya pull meta-llama/Llama-3.2-11B-Vision-Instruct
  $ atalaya pull LLM-Research/Llama-3.2-11B-Vision-Instruct --hub modelscope`,
    )
    .action((model: string, flags: PullFlags) => runPull(model, flags, terminal));
  addHubOption(command, "hub to ask; auto takes the first that can be reached");
}

export function addHubOption(command: Command, description: string): Command {
  return command.addOption(
    new Option("--hub <name>", description)
      .choices(["auto", "huggingface", "modelscope"])
      .default("auto"),
  );
}

/** @returns `undefined` when all hubs are meant */
export function namedHub({ hub }: HubFlag): "huggingface" | "modelscope" | undefined {
  return hub === "auto" ? undefined : hub;
}

async function runPull(model: string, flags: PullFlags, terminal: Terminal): Promise<void> {
  const settings = readSettings({}, terminal.env);
  await using platform = new Platform({ log: createLogger("silent"), settings });
  const repo = await platform.repoToPull(model);
  const hub = await openHub(terminal.env);
  using interrupt = listenForInterrupt();
  const { signal } = interrupt;
  const progress = showPull(terminal);
  const startedAt = performance.now();
  try {
    const pulled = await hub.pull({
      repo,
      hub: namedHub(flags),
      revision: flags.revision,
      include: flags.include ?? [],
      exclude: flags.exclude ?? [],
      verify: flags.verify ?? false,
      signal,
      onEvent: (event) => progress.onEvent(event),
    });
    progress[Symbol.dispose]();
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    if (pulled.receivedBytes > 0) {
      note(
        terminal,
        `Downloaded ${showBytes(pulled.receivedBytes)} in ${seconds} s, all verified.`,
      );
    }
    terminal.stdout.write(`${pulled.directory}\n`);
  } catch (error) {
    progress[Symbol.dispose]();
    if (signal.aborted) note(terminal, describeStop(progress.done));
    throw error;
  }
}

function describeStop(
  done: { readonly doneBytes: number; readonly totalBytes: number } | undefined,
): string {
  return done === undefined
    ? "Stopped before anything was downloaded."
    : `Stopped with ${showBytes(done.doneBytes)} of ${showBytes(done.totalBytes)} here. Run the same command again to go on from there.`;
}
