/** A password as a person types it, without showing it; or the first line of what is piped in. */
import { createInterface } from "node:readline";
import { PlatformError } from "../base/errors.ts";
import type { Terminal } from "./terminal.ts";

/** @throws PlatformError `cancelled` at Ctrl-C */
export async function readSecret(question: string, { stdin, stderr }: Terminal): Promise<string> {
  if (!stdin.isTTY) return await firstLine(stdin);
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  try {
    let text = "";
    for await (const typed of stdin as AsyncIterable<string>) {
      for (const letter of typed) {
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

async function firstLine(stdin: NodeJS.ReadStream): Promise<string> {
  const lines = createInterface({ input: stdin });
  try {
    for await (const line of lines) return line;
    return "";
  } finally {
    lines.close();
  }
}
