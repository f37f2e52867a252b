import { type Command, Option } from "commander";
import { createLogger } from "../../base/logger.ts";
import { preferSmallHeap } from "../../base/small-heap.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { openState, Platform, startTracing, wantsTracing } from "../../platform.ts";
import { openAccess } from "../access.ts";
import { bringBack, modelsToBringBack } from "../bring-back.ts";
import { toLaunchable } from "../find-model.ts";
import { launchShown } from "../local-source.ts";
import {
  type AccessFlags,
  addAccessOptions,
  addListenOptions,
  addLoadOptions,
  addLogOption,
  addMediaOptions,
  addQuantizationOptions,
  duration,
  type LoadFlags,
  whole,
} from "../options.ts";
import { aborted, listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";

type ServeFlags = SettingFlags &
  LoadFlags &
  AccessFlags & {
    readonly ollama?: boolean;
    readonly autostart: boolean;
    /** Milliseconds. */
    readonly idleUnload?: number;
    readonly maxQueuedRequests?: number;
  };

/** Where Ollama's clients look when nobody tells them otherwise. */
const ollamaPort = 11_434;

export function serve(program: Command, terminal: Terminal): void {
  const command = program
    .command("serve")
    // Xinference's names for it; a server is supervisor and worker in one.
    .aliases(["local", "supervisor"])
    .description("Start a server, and launch the given models on it.")
    .argument(
      "[models...]",
      "checkpoint directories in Hugging Face layout, names of models, or demo",
    )
    .option("--compat <generation>", "of Xinference, 3 or 0.16, where they contradict each other")
    .option("--ollama", "listen on port 11434 too, where Ollama's clients look")
    .option("--no-autostart", "do not start again what was running when the server stopped")
    .option(
      "--idle-unload <duration>",
      "free a model that nobody asked for so long, such as 30m; it comes back when asked",
      duration,
    )
    .option(
      "--max-queued-requests <count>",
      "requests that may wait for one model; further ones get 429 (default 256)",
      whole(1),
    )
    // Xinference's: metrics are at GET /metrics of the same port, and there is no second process.
    .addOption(new Option("--metrics-exporter-host <address>").hideHelp())
    .addOption(new Option("--metrics-exporter-port <number>").hideHelp())
    .addOption(new Option("--supervisor-port <number>").hideHelp())
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya serve ./Llama-3.2-11B-Vision-Instruct\n  $ atalaya serve demo --port 8000\n  $ atalaya serve --ollama ./Llama-3.2-11B-Vision-Instruct",
    )
    .action((models: string[], flags: ServeFlags) => runServe(models, flags, terminal));
  const listening = addAccessOptions(addListenOptions(command));
  addLogOption(addQuantizationOptions(addMediaOptions(addLoadOptions(listening))));
}

async function runServe(
  models: readonly string[],
  flags: ServeFlags,
  terminal: Terminal,
): Promise<void> {
  preferSmallHeap();
  const settings = readSettings(flags, terminal.env);
  using interrupt = listenForInterrupt(() =>
    note(terminal, "Stopping: answers under way get 30 seconds. Ctrl-C again ends them at once."),
  );
  await using _tracing = wantsTracing(terminal.env) ? await startTracing(terminal.env) : undefined;
  await using state = await openState(settings);
  const log = createLogger(settings.logLevel);
  const { identity, access } = await openAccess({ settings, flags, state, log }, terminal);
  const platform = new Platform({
    log,
    identity,
    access,
    media: { fetchRemote: settings.fetchMedia, root: settings.mediaRoot },
    settings,
    state: state.database,
    idleMs: flags.idleUnload,
    maxQueuedRequests: flags.maxQueuedRequests,
    stop: interrupt.interrupt,
  });
  try {
    const url = await platform.listen(settings);
    await state.servesAt(url);
    note(terminal, `Serving at ${url}/v1. Stop with Ctrl-C.`);
    if (flags.ollama === true) {
      const { host } = settings;
      const second = await platform.listen({ host, port: ollamaPort, isOllamaPort: true });
      note(terminal, `Serving Ollama's clients at ${second} too.`);
    }
    const named = models.map((model) => toLaunchable(model, terminal.cwd));
    const returning = await modelsToBringBack(platform, named);
    for (const model of named) {
      const startedAt = performance.now();
      const options = { model, uid: undefined, flags };
      const uid = await launchShown(platform, options, terminal, interrupt.signal);
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
      note(terminal, `${uid} is ready (${seconds} s).`);
    }
    const comeback = bringBack(platform, flags.autostart ? returning : [], {
      terminal,
      signal: interrupt.signal,
    }).then(async () => await platform.batches.runner.resume());
    await aborted(interrupt.signal);
    const numCut = await platform.close();
    await comeback;
    if (numCut > 0) note(terminal, cutAnswers(numCut));
  } catch (error) {
    await platform[Symbol.asyncDispose]();
    // Being told to stop while loading is no failure of a server.
    if (!interrupt.signal.aborted) throw error;
  }
}

function cutAnswers(numCut: number): string {
  const what = numCut === 1 ? "1 answer was" : `${numCut} answers were`;
  return `Stopped; ${what} cut off before the end.`;
}
