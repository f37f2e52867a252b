import { createInterface, type Interface } from "node:readline";
import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import type { ToolCall } from "../../generation/tools.ts";
import type { AnswerSource, Turn } from "../answer-source.ts";
import { printAnswer, readQuestion } from "../ask.ts";
import { describeFailure } from "../exit-code.ts";
import { openSource } from "../find-model.ts";
import {
  addEndpointOption,
  addLoadOptions,
  addLogOption,
  addQuantizationOptions,
  addSamplingOptions,
  type LoadFlags,
  type SamplingFlags,
} from "../options.ts";
import { listenForInterrupt } from "../signals.ts";
import { note, type Terminal } from "../terminal.ts";
import { addToolOptions, type OfferedTools, readTools, type ToolFlags } from "../tools-file.ts";

type ChatFlags = SettingFlags &
  LoadFlags &
  SamplingFlags &
  ToolFlags & {
    readonly system?: string;
    readonly modelUid?: string;
    /** Xinference's; an answer always comes as it is made. */
    readonly stream?: string | true;
  };

type ConverseFlags = ChatFlags & { readonly offered: OfferedTools | undefined };

const help = `Write a question. Picture files named in it are shown to the model: what is in ./photo.png?
  /clear   forget the conversation
  /help    this list
  /bye     leave (also Ctrl-D)
  Ctrl-C   stop the answer
Where a function is called (--tools), the next line is what it returned.`;

export function chat(program: Command, terminal: Terminal): void {
  const command = program
    .command("chat")
    .description("Talk with a model. Picture files named in a line are shown to it.")
    .argument("[model]", "uid of a running model, name of a model, checkpoint directory, or demo")
    .option("-u, --model-uid <uid>", "the model, as an option")
    .option("--system <text>", "instructions that stand before the conversation")
    .addHelpText("after", "\nExample:\n  $ atalaya chat demo")
    .addOption(new Option("--stream [bool]").hideHelp())
    .action((model: string | undefined, flags: ChatFlags) =>
      runChat(model ?? flags.modelUid, flags, terminal),
    );
  addLogOption(
    addQuantizationOptions(
      addLoadOptions(addSamplingOptions(addToolOptions(addEndpointOption(command)))),
    ),
  );
}

async function runChat(
  model: string | undefined,
  flags: ChatFlags,
  terminal: Terminal,
): Promise<void> {
  if (model === undefined) {
    throw new PlatformError(
      "invalid_request",
      "Say with which model: atalaya chat UID. See atalaya list.",
    );
  }
  const settings = readSettings(flags, terminal.env);
  const offered = await readTools(flags);
  const source = await openWhileInterruptible(model, { flags, settings }, terminal);
  await using _ = source;
  const isInteractive = terminal.stdin.isTTY;
  const lines = createInterface({
    input: terminal.stdin,
    ...(isInteractive ? { output: terminal.stderr, prompt: "> " } : {}),
  });
  if (isInteractive) note(terminal, "Ask about a picture by naming its file. /help lists more.");
  await converse(lines, source, { ...flags, offered }, terminal);
}

async function openWhileInterruptible(
  ...[model, options, terminal]: [string, Parameters<typeof openSource>[1], Terminal]
): Promise<AnswerSource> {
  using interrupt = listenForInterrupt();
  return await openSource(model, options, terminal, interrupt.signal);
}

async function converse(
  lines: Interface,
  source: AnswerSource,
  flags: ConverseFlags,
  terminal: Terminal,
): Promise<void> {
  const opening: Turn[] =
    flags.system === undefined
      ? []
      : [{ role: "system", content: [{ type: "text", text: flags.system }] }];
  let turns = opening;
  let answering: AbortController | undefined;
  lines.on("SIGINT", () => {
    if (answering === undefined) {
      note(terminal, "\nLeave with /bye or Ctrl-D.");
      lines.prompt();
    } else {
      answering.abort();
    }
  });
  lines.prompt();
  let hasLeft = false;
  for await (const line of lines) {
    const text = line.trim();
    hasLeft = text === "/bye";
    if (hasLeft) break;
    if (text === "/clear") {
      turns = opening;
      note(terminal, "The conversation is forgotten.");
    } else if (text === "/help" || text === "/?") {
      note(terminal, help);
    } else if (/^\/[a-z]+$/.test(text)) {
      note(terminal, `There is no command ${text}. /help lists them.`);
    } else if (text !== "") {
      answering = new AbortController();
      turns = await takeTurn(text, turns, { source, flags, signal: answering.signal, terminal });
      answering = undefined;
    }
    lines.prompt();
  }
  lines.close();
  // After Ctrl-D the cursor still stands behind the prompt.
  if (!hasLeft && terminal.stdin.isTTY) note(terminal, "");
}

/** @returns the conversation with the question and its answer, or as it was when that failed */
async function takeTurn(
  text: string,
  turns: readonly Turn[],
  options: {
    readonly source: AnswerSource;
    readonly flags: ConverseFlags;
    readonly signal: AbortSignal;
    readonly terminal: Terminal;
  },
): Promise<Turn[]> {
  const { source, flags, signal, terminal } = options;
  try {
    const open = openCalls(turns);
    const question =
      open[0] === undefined
        ? await readQuestion(text, [], terminal)
        : { turn: resultOf(open[0], text), names: [] };
    const asked = [...turns, question.turn];
    const next = open[1];
    if (next !== undefined) {
      note(terminal, `Now what ${next.name} returned.`);
      return asked;
    }
    const answer = await printAnswer(source, asked, {
      sampling: flags,
      offered: flags.offered,
      signal,
      names: question.names,
      terminal,
    });
    if (answer.toolCalls.length > 0) {
      note(terminal, `The next line is what ${answer.toolCalls[0]?.name ?? "it"} returned.`);
      return [...asked, { role: "assistant", content: [], toolCalls: answer.toolCalls }];
    }
    if (answer.text === "" && signal.aborted) return [...turns];
    return [...asked, { role: "assistant", content: [{ type: "text", text: answer.text }] }];
  } catch (error) {
    if (!signal.aborted) note(terminal, describeFailure(error).sentence ?? "");
    return [...turns];
  }
}

/** Calls of the latest answer that nobody has said the result of. */
function openCalls(turns: readonly Turn[]): readonly ToolCall[] {
  const numResults = turns.length - 1 - turns.findLastIndex(({ role }) => role !== "tool");
  const { toolCalls = [] } = turns.at(-1 - numResults) ?? {};
  return toolCalls.slice(numResults);
}

function resultOf({ id }: ToolCall, text: string): Turn {
  return { role: "tool", toolCallId: id, content: [{ type: "text", text }] };
}
