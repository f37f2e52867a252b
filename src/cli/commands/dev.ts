import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { demoCheckpoint } from "../../config/package.ts";
import { makeCheckpoint } from "../../platform.ts";
import { whole } from "../options.ts";
import { showLaunch } from "../render/launch-progress.ts";
import { showBytes } from "../render/quantities.ts";
import { listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";

type MakeFlags = {
  readonly size: 11 | 90;
  readonly base?: boolean;
  readonly instruct?: boolean;
  readonly layers?: number;
  readonly seed: number;
};

/** What whoever works on Atalaya, or measures it, needs beside it. */
export function dev(program: Command, terminal: Terminal): void {
  const command = program
    .command("dev")
    .description("Tools to work on Atalaya, and to measure it.");
  command
    .command("make-checkpoint")
    .description(
      "Write a checkpoint of the real shapes, names and files with random weights and a tokenizer made by a rule: to measure loading, quantizing, memory and speed without the weights.",
    )
    .argument("[directory]", "where to; named after the model in this directory when left out")
    .addOption(
      new Option("--size <billions>", "11 or 90").default(11).argParser((text) => {
        if (text === "11" || text === "90") return Number(text);
        throw new InvalidArgumentError("It must be 11 or 90.");
      }),
    )
    .addOption(new Option("--instruct", "as the model tuned for chats (default)").conflicts("base"))
    .option("--base", "as the one that continues text")
    .option("--layers <count>", "only so many of the text layers, 2 at least", whole(2, 100))
    .option(
      "--seed <number>",
      "of the numbers; the same seed writes the same files",
      whole(0, 2 ** 32 - 1),
      1,
    )
    .addHelpText(
      "after",
      `
The 11B takes 21.3 GB and 40 text layers, the 90B 177 GB and 100; the vision tower is always whole. What it answers is noise.

Examples:
  $ atalaya dev make-checkpoint --size 11 --layers 8 ./eleven
  $ atalaya launch ./eleven --quantization q4_k`,
    )
    .action((directory: string | undefined, flags: MakeFlags) =>
      runMakeCheckpoint(directory, flags, terminal),
    );
}

async function runMakeCheckpoint(
  directory: string | undefined,
  { size, base, layers, seed }: MakeFlags,
  terminal: Terminal,
): Promise<void> {
  const isInstruct = base !== true;
  const name = `Llama-3.2-${size}B-Vision${isInstruct ? "-Instruct" : ""}-random`;
  const path = resolve(terminal.cwd, directory ?? name);
  using interrupt = listenForInterrupt();
  const startedAt = performance.now();
  const made = await (async () => {
    using progress = showLaunch(terminal, name);
    return await makeCheckpoint({
      directory: path,
      size,
      isInstruct,
      numLayers: layers,
      seed,
      chatTemplate: await demoTemplate(),
      signal: interrupt.signal,
      onProgress: (stage) => progress.onEvent({ type: "stage", ...stage }),
    });
  })();
  const seconds = (performance.now() - startedAt) / 1_000;
  const files = made.numShards === 1 ? "1 file" : `${made.numShards} files`;
  note(
    terminal,
    `${made.numTensors} tensors, ${showBytes(made.numBytes)} in ${files}, in ${seconds.toFixed(1)} s.`,
  );
  terminal.stdout.write(`${path}\n`);
}

/** The chat template of the bundled model: the family's markers, in our own words. */
async function demoTemplate(): Promise<string> {
  const text = await readFile(join(demoCheckpoint(), "chat_template.json"), "utf8");
  return z.object({ chat_template: z.string() }).parse(JSON.parse(text)).chat_template;
}
