import type { Command } from "commander";
import { createLogger } from "../../base/logger.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import { toLaunchable } from "../find-model.ts";
import { launchAndWait } from "../local-source.ts";
import { addListenOptions, addLoadOptions, addLogOption, type LoadFlags } from "../options.ts";
import { aborted, listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";

export function serve(program: Command, terminal: Terminal): void {
  const command = program
    .command("serve")
    .description("Start a server, and launch the given models on it.")
    .argument(
      "[models...]",
      "checkpoint directories in Hugging Face layout, names of models, or demo",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya serve ./Llama-3.2-11B-Vision-Instruct\n  $ atalaya serve demo --port 8000",
    )
    .action((models: string[], flags: SettingFlags & LoadFlags) =>
      runServe(models, flags, terminal),
    );
  addLogOption(addLoadOptions(addListenOptions(command)));
}

async function runServe(
  models: readonly string[],
  flags: SettingFlags & LoadFlags,
  terminal: Terminal,
): Promise<void> {
  const settings = readSettings(flags, terminal.env);
  using interrupt = listenForInterrupt(() =>
    note(terminal, "Stopping: answers under way get 30 seconds. Ctrl-C again ends them at once."),
  );
  const platform = new Platform({ log: createLogger(settings.logLevel), settings });
  try {
    const url = await platform.listen(settings);
    note(terminal, `Serving at ${url}/v1. Stop with Ctrl-C.`);
    for (const model of models) {
      const startedAt = performance.now();
      const options = { model: toLaunchable(model, terminal.cwd), uid: undefined, flags };
      const uid = await launchAndWait(platform, options, terminal, interrupt.signal);
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
      note(terminal, `${uid} is ready (${seconds} s).`);
    }
    await aborted(interrupt.signal);
    await platform.close();
  } catch (error) {
    await platform[Symbol.asyncDispose]();
    // Being told to stop while loading is no failure of a server.
    if (!interrupt.signal.aborted) throw error;
  }
}
