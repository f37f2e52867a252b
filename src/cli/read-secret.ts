/** Passwords as a person types them, without showing them; or the first lines of what is piped in. */
import { createInterface } from "node:readline";
import { PlatformError } from "../base/errors.ts";
import type { Terminal } from "./terminal.ts";

/** @throws PlatformError `cancelled` at Ctrl-C */
export async function readSecret(question: string, terminal: Terminal): Promise<string> {
  const [secret = ""] = await readSecrets([question], terminal);
  return secret;
}

/**
 * Several, one after the other; of what is piped in, a line each.
 *
 * @returns as many as there are questions; empty where the input ended before
 * @throws PlatformError `cancelled` at Ctrl-C
 */
export async function readSecrets(
  questions: readonly string[],
  terminal: Terminal,
): Promise<string[]> {
  if (questions.length === 0) return [];
  if (!terminal.stdin.isTTY) return await firstLines(terminal.stdin, questions.length);
  const secrets: string[] = [];
  for (const question of questions) secrets.push(await typed(question, terminal));
  return secrets;
}

async function typed(question: string, { stdin, stderr }: Terminal): Promise<string> {
  // First of all: who is quick types as soon as the question is there.
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stderr.write(question);
  try {
    let text = "";
    // Others are asked for after this one.
    for await (const letters of stdin.iterator({ destroyOnReturn: false })) {
      for (const letter of letters as string) {
        if (letter === "\r" || letter === "\n" || letter === "\u0004") return text;
        if (letter === "\u0003") throw new PlatformError("cancelled", "Stopped.");
        text = letter === "\u007f" || letter === "\b" ? text.slice(0, -1) : text + letter;
      }
    }
    return text;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}

async function firstLines(stdin: NodeJS.ReadStream, count: number): Promise<string[]> {
  const lines: string[] = [];
  const input = createInterface({ input: stdin });
  try {
    for await (const line of input) if (lines.push(line) === count) break;
  } finally {
    input.close();
  }
  while (lines.length < count) lines.push("");
  return lines;
}
