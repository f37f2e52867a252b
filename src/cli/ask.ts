/** One question: text with pictures in it → an answer on stdout and its facts. */
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { requestLimits } from "@atalaya/protocol";
import { PlatformError } from "../base/errors.ts";
import type { ContentPart, EncodedImage } from "../generation/request.ts";
import type { ToolCall } from "../generation/tools.ts";
import type { AnswerSource, AskSettings, SeenImage, Turn } from "./answer-source.ts";
import { findPictures } from "./picture-paths.ts";
import { type AnswerFacts, renderSummary } from "./render/summary.ts";
import { grey, note, printable, type Terminal } from "./terminal.ts";

export type Question = {
  readonly turn: Turn;
  /** Of its pictures, for the summary. */
  readonly names: readonly string[];
};

/**
 * Read a question's pictures: those named in the text, and those given beside it.
 *
 * @throws PlatformError `invalid_image` when a file given beside it is none, or is too large
 */
export async function readQuestion(
  prompt: string,
  files: readonly string[],
  terminal: Terminal,
): Promise<Question> {
  const { text, pictures, missing } = findPictures(prompt, terminal);
  for (const path of missing) {
    note(terminal, `There is no file '${path}'; it stays in the text as it is.`);
  }
  const all = [...files.map((path) => ({ written: path, path })), ...pictures];
  if (all.length > requestLimits.maxImages) {
    throw new PlatformError(
      "invalid_request",
      `That is ${all.length} pictures; one question takes at most ${requestLimits.maxImages}.`,
    );
  }
  const images: EncodedImage[] = [];
  for (const { written, path } of all) {
    images.push(await readPicture(path));
    note(terminal, `Added image '${written}'`);
  }
  const content: ContentPart[] = images.map((image) => ({ type: "image", image }));
  // The pictures first: this model relates text to the pictures before it.
  if (text !== "") content.push({ type: "text", text });
  return {
    turn: { role: "user", content },
    names: all.map(({ path }) => basename(path)),
  };
}

/** @throws PlatformError `invalid_image` */
export async function readPicture(path: string): Promise<EncodedImage> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) {
    throw new PlatformError("invalid_image", `There is no picture file ${path}.`);
  }
  if (info.size > requestLimits.maxImageBytes) {
    throw new PlatformError(
      "invalid_image",
      `${path} has ${info.size} bytes; a picture has at most ${requestLimits.maxImageBytes}. Make it smaller.`,
    );
  }
  return { bytes: await readFile(path) };
}

export type PrintedAnswer = {
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
};

/**
 * Stream the answer to stdout, then the summary to stderr.
 *
 * Calls of functions are printed as JSON, a line each.
 *
 * @returns the whole answer; with what there is of it when `signal` aborted
 */
export async function printAnswer(
  source: AnswerSource,
  turns: readonly Turn[],
  options: AskSettings & {
    readonly names: readonly string[];
    readonly terminal: Terminal;
  },
): Promise<PrintedAnswer> {
  const { terminal, signal, names } = options;
  const images: (SeenImage | undefined)[] = names.map(() => undefined);
  const numEarlier = countImages(turns) - names.length;
  let text = "";
  let facts: AnswerFacts = { images, numTokens: 0, decodeMs: 0, reason: "cancelled" };
  let toolCalls: readonly ToolCall[] = [];
  let firstTextAt: number | undefined;
  let lastTextAt = 0;
  try {
    for await (const event of source.ask(turns, options)) {
      if (event.type === "text") {
        text += event.text;
        lastTextAt = performance.now();
        firstTextAt ??= lastTextAt;
        terminal.stdout.write(printable(terminal, event.text));
      } else if (event.type === "image") {
        if (event.index >= numEarlier) images[event.index - numEarlier] = event.image;
      } else {
        const decodeMs = lastTextAt - (firstTextAt ?? lastTextAt);
        facts = { images, numTokens: event.numTokens, decodeMs, reason: event.reason };
        toolCalls = event.toolCalls ?? [];
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    // Whatever comes next, an error included, begins on a line of its own.
    if (text !== "") terminal.stdout.write("\n");
  }
  for (const { id, name, arguments: args } of toolCalls) {
    const call = { id, name, arguments: JSON.parse(args) as unknown };
    terminal.stdout.write(`${printable(terminal, JSON.stringify(call))}\n`);
  }
  note(terminal, grey(terminal, renderSummary(facts, names)));
  return { text, toolCalls };
}

function countImages(turns: readonly Turn[]): number {
  return turns.flatMap(({ content }) => content).filter(({ type }) => type === "image").length;
}
