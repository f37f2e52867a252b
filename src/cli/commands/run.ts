import { text as readAll } from "node:stream/consumers";
import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { printAnswer, readQuestion } from "../ask.ts";
import { openSource } from "../find-model.ts";
import {
  addEndpointOption,
  addLoadOptions,
  addLogOption,
  addQuantizationOptions,
  addSamplingOptions,
  collect,
  whole,
} from "../options.ts";
import { type RawFlags, runRaw } from "../run-raw.ts";
import { listenForInterrupt } from "../signals.ts";
import type { Terminal } from "../terminal.ts";
import { addToolOptions, readTools, type ToolFlags } from "../tools-file.ts";

type RunFlags = SettingFlags &
  RawFlags & {
    readonly prompt?: string;
    readonly raw?: boolean;
  } & ToolFlags;

export function run(program: Command, terminal: Terminal): void {
  const command = program
    .command("run")
    .description(
      "Ask one question. Picture files named in the prompt are shown to the model.\nUses a running server when MODEL is a uid there, else loads the directory for this one answer.",
    )
    .argument("<model>", "uid of a running model, name of a model, checkpoint directory, or demo")
    .argument("[prompt...]", "the question; read from standard input when left out")
    .option("--prompt <text>", "the question, as an option")
    .option("--image <file>", "a picture to ask about; may be repeated", collect)
    .addOption(
      new Option(
        "--raw",
        "take the prompt as it is: no chat template, no added BOS, special tokens recognised; <|image|> marks a picture",
      ),
    )
    .option("--json", "print one JSON object with token ids and timings (with --raw)")
    .option(
      "--logprobs <count>",
      "alternatives with each token, 0 to 20 (with --raw --json)",
      whole(0, 20),
    )
    .addHelpText(
      "after",
      `
Examples:
  $ atalaya run ./Llama-3.2-11B-Vision-Instruct "What is wrong in this photo? ./leak.jpg"
  $ atalaya run ./Llama-3.2-11B-Vision-Instruct --tools functions.json --tool-choice required "What is the weather in Oslo?"
  $ atalaya run demo --raw --json --prompt "<|image|>" --image shapes.png --max-tokens 8 --temperature 0 --logprobs 10`,
    )
    .action((model: string, words: string[], flags: RunFlags) =>
      runRun(model, words, flags, terminal),
    );
  addLogOption(
    addQuantizationOptions(
      addLoadOptions(addSamplingOptions(addToolOptions(addEndpointOption(command)))),
    ),
  );
}

async function runRun(
  model: string,
  words: readonly string[],
  flags: RunFlags,
  terminal: Terminal,
): Promise<void> {
  const settings = readSettings(flags, terminal.env);
  const prompt = await readPrompt(words, flags, terminal);
  using interrupt = listenForInterrupt();
  const { signal } = interrupt;
  if (flags.raw === true) {
    if (flags.tools !== undefined || flags.toolChoice !== undefined) {
      throw new PlatformError("invalid_request", "--tools and --tool-choice do not go with --raw.");
    }
    await runRaw({ model, prompt, flags, settings }, terminal, signal);
    return;
  }
  if (flags.json === true || flags.logprobs !== undefined) {
    throw new PlatformError("invalid_request", "--json and --logprobs go with --raw.");
  }
  const offered = await readTools(flags);
  const question = await readQuestion(prompt, flags.image ?? [], terminal);
  await using source = await openSource(model, { flags, settings }, terminal, signal);
  await printAnswer(source, [question.turn], {
    sampling: flags,
    offered,
    signal,
    names: question.names,
    terminal,
  });
  signal.throwIfAborted();
}

async function readPrompt(
  words: readonly string[],
  flags: RunFlags,
  { stdin }: Terminal,
): Promise<string> {
  if (flags.prompt !== undefined) return flags.prompt;
  if (words.length > 0) return words.join(" ");
  if (flags.raw !== true && stdin.isTTY) {
    throw new PlatformError(
      "invalid_request",
      'Ask something: atalaya run MODEL "what is in ./photo.png?". To talk longer: atalaya chat MODEL',
    );
  }
  return (await readAll(stdin)).trim();
}
