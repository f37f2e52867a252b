import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { packageVersion } from "../../config/package.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { launchAndWait, Platform } from "../../platform.ts";
import { compare } from "../bench/compare.ts";
import type { Contestant } from "../bench/contestant.ts";
import { type Measure, measuresOf } from "../bench/measures.ts";
import { renderOutcomes, renderSvg, toJson } from "../bench/report.ts";
import { toLaunchable } from "../find-model.ts";
import {
  addLoadOptions,
  addLogOption,
  collect,
  engineOptionsOf,
  type LoadFlags,
  whole,
} from "../options.ts";
import { listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";

type BenchFlags = SettingFlags &
  Omit<LoadFlags, "quantization"> & {
    readonly against?: readonly string[];
    readonly quantization?: readonly string[];
    readonly only?: readonly string[];
    readonly runs: number;
    readonly tokens: number;
    readonly promptTokens: number;
    readonly streams: readonly number[];
    readonly seed: number;
    readonly json?: string;
    readonly svg?: string;
  };

/** An engine and what it makes of the weights. */
type Entry = { readonly engine: string | undefined; readonly quantization: string | undefined };

export function bench(program: Command, terminal: Terminal): void {
  const command = program
    .command("bench")
    .description(
      "Measure how fast a model runs here: loading, reading, answering, seeing, many at once, memory.\nSeveral engines or quantizations are measured in turns, beside each other.",
    )
    .argument("<model>", "name of a model, checkpoint directory, or demo")
    .option("--against <engine>", "another engine to measure beside it; may be repeated", collect)
    .option("--quantization <name>", "what to make of the weights; may be repeated", collect)
    .option(
      "--only <measure>",
      "only measures whose name begins so: load, decode, prefill, ttft, throughput, memory; may be repeated",
      collect,
    )
    .option("--runs <count>", "times that each is measured", whole(1, 1_000), 3)
    .option("--tokens <count>", "tokens of an answer", whole(2, 100_000), 64)
    .option("--prompt-tokens <count>", "tokens of a long prompt", whole(1, 131_071), 512)
    .option("--streams <counts>", "how many answer at the same time", toCounts, [1, 4, 16])
    .option("--seed <number>", "of the prompts and pictures", whole(0, 2 ** 32 - 1), 1)
    .option("--json <file>", "write the numbers, the machine and the command")
    .option("--svg <file>", "write a picture of them")
    .addHelpText(
      "after",
      `
Examples:
  $ atalaya bench demo
  $ atalaya bench ./Llama-3.2-11B-Vision-Instruct --against transformers --json bench.json --svg bench.svg
  $ atalaya bench ./Llama-3.2-11B-Vision-Instruct --quantization none --quantization q4_k --only decode`,
    )
    .action((model: string, flags: BenchFlags) => runBench(model, flags, terminal));
  addLogOption(addLoadOptions(command));
}

function toCounts(value: string): number[] {
  const counts = value.split(",").map(Number);
  if (counts.every((count) => Number.isInteger(count) && count >= 1 && count <= 1_024))
    return counts;
  throw new InvalidArgumentError("It must be whole numbers from 1 to 1024, such as 1,4,16.");
}

async function runBench(model: string, flags: BenchFlags, terminal: Terminal): Promise<void> {
  const measures = chosenMeasures(flags);
  const settings = readSettings(flags, terminal.env);
  using interrupt = listenForInterrupt();
  const { signal } = interrupt;
  await using platform = new Platform({ log: createLogger(settings.logLevel), settings });
  const contestants: Contestant[] = [];
  for (const entry of entriesOf(flags)) {
    note(terminal, `Loading ${nameOf(entry)} …`);
    contestants.push(
      await load(platform, toLaunchable(model, terminal.cwd), { entry, flags, signal }),
    );
  }
  const outcomes = await compare(contestants, measures, {
    numRuns: flags.runs,
    seed: flags.seed,
    signal,
    onRun: (what) => note(terminal, what),
  });
  const names = contestants.map(({ name }) => name);
  terminal.stdout.write(renderOutcomes(outcomes, names));
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
    version: packageVersion(),
  };
  if (flags.json !== undefined) {
    const command = ["atalaya", "bench", ...process.argv.slice(3)].join(" ");
    const json = toJson(outcomes, { command, model, machine, names, takenAt: new Date() });
    await write(flags.json, `${JSON.stringify(json, undefined, 2)}\n`);
  }
  if (flags.svg !== undefined) {
    const title = `${model} on ${machine.cores} cores of ${machine.cpu}`;
    await write(flags.svg, renderSvg(outcomes, names, title));
  }
}

/** The engine that was named, or the best, with each quantization; then each that it is measured against. */
function entriesOf({ modelEngine, quantization = [], against = [] }: BenchFlags): Entry[] {
  const quantizations = quantization.length === 0 ? [undefined] : quantization;
  return [
    ...quantizations.map((name) => ({ engine: modelEngine, quantization: name })),
    ...against.map((engine) => ({ engine, quantization: undefined })),
  ];
}

function nameOf({ engine, quantization }: Entry): string {
  return [engine ?? "the best engine", quantization].filter((word) => word !== undefined).join(" ");
}

async function load(
  platform: Platform,
  model: string,
  {
    entry,
    flags,
    signal,
  }: { readonly entry: Entry; readonly flags: BenchFlags; readonly signal: AbortSignal },
): Promise<Contestant> {
  const { profile = "ref", maxModelLen, maxNumSeqs, kvCacheDtype, numThreads, download } = flags;
  const instance = await launchAndWait(
    platform.supervisor,
    {
      model,
      uid: undefined,
      ...entry,
      profile,
      maxModelLen,
      maxNumSeqs: maxNumSeqs ?? Math.max(...flags.streams),
      kvCacheDtype,
      numThreads,
      engineOptions: engineOptionsOf(flags),
      download,
      origin: "command",
    },
    { signal },
  );
  const name = [instance.engineName, entry.quantization]
    .filter((word) => word !== undefined)
    .join(" ");
  return {
    name,
    engine: instance.engine,
    loadMs: instance.loadMs,
    tileSize: await tileSizeOf(instance.directory),
  };
}

const Preprocessor = z.looseObject({ size: z.looseObject({ height: z.int().positive() }) });

/** Of the checkpoint; that of every released model when it has no such file. */
async function tileSizeOf(directory: string): Promise<number> {
  const text = await readFile(join(directory, "preprocessor_config.json"), "utf8").catch(
    () => undefined,
  );
  return text === undefined ? 560 : Preprocessor.parse(JSON.parse(text)).size.height;
}

function chosenMeasures({ only = [], tokens, promptTokens, streams }: BenchFlags): Measure[] {
  const all = measuresOf({ numTokens: tokens, promptTokens, streams });
  const strange = only.find((word) => !all.some(({ name }) => name.startsWith(word)));
  if (strange !== undefined) {
    throw new PlatformError(
      "invalid_request",
      `There is no measure "${strange}". Choose of ${all.map(({ name }) => name).join(", ")}.`,
    );
  }
  return only.length === 0
    ? all
    : all.filter(({ name }) => only.some((word) => name.startsWith(word)));
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((error: NodeJS.ErrnoException) => {
    throw new PlatformError("forbidden", `${file} cannot be written: ${error.message}`, {
      cause: error,
    });
  });
}
