import { createInterface } from "node:readline";
import { AtalayaClient } from "@atalaya/client";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { readPicture } from "../ask.ts";
import { addEndpointOption, collect, whole } from "../options.ts";
import { listenForInterrupt } from "../signals.ts";
import { note, printable, type Terminal } from "../terminal.ts";

type GenerateFlags = SettingFlags & {
  readonly modelUid?: string;
  readonly maxTokens: number;
  readonly stream?: string | true;
  readonly image?: readonly string[];
};

export function generate(program: Command, terminal: Terminal): void {
  const command = program
    .command("generate")
    .description("Let a running model continue texts, a line at a time; an empty line ends it.")
    .argument("[uid]", "the model's uid")
    .option("-u, --model-uid <uid>", "the model's uid")
    .option("--max-tokens <count>", "tokens to generate, at most", whole(1), 512)
    .option("--stream [bool]", "write each word as it comes; True unless set")
    .option("--image <file>", "a picture to see with every text; may come several times", collect)
    .addHelpText(
      "after",
      '\nExample:\n  $ echo "The animal in the picture is" | atalaya generate base --image ./photo.png',
    )
    .action((uid: string | undefined, flags: GenerateFlags) =>
      runGenerate(uid ?? flags.modelUid, flags, terminal),
    );
  addEndpointOption(command);
}

async function runGenerate(
  uid: string | undefined,
  flags: GenerateFlags,
  terminal: Terminal,
): Promise<void> {
  if (uid === undefined) {
    throw new PlatformError(
      "invalid_request",
      "Say which model: atalaya generate UID. See atalaya list.",
    );
  }
  const client = new AtalayaClient(readSettings(flags, terminal.env));
  const images = await Promise.all((flags.image ?? []).map(toDataUrl));
  const isWhole = /^(false|0|no)$/i.test(`${flags.stream ?? true}`);
  // Xinference's words, which differ between the two.
  const [asks, answers] = isWhole ? ["User: ", "Assistant: "] : ["Prompt: ", "Completion: "];
  using interrupt = listenForInterrupt();
  const { signal } = interrupt;
  const isInteractive = terminal.stdin.isTTY;
  const lines = createInterface({
    input: terminal.stdin,
    ...(isInteractive ? { output: terminal.stderr, prompt: asks } : {}),
    signal,
  });
  lines.on("SIGINT", () => interrupt.interrupt());
  if (isInteractive) note(terminal, "An empty line ends it.");
  lines.prompt();
  for await (const prompt of lines) {
    if (prompt === "") break;
    const body = { model: uid, prompt, max_tokens: flags.maxTokens, images };
    let text = "";
    let hasBegun = false;
    for await (const piece of client.streamCompletion(body, { signal })) {
      if (!hasBegun) terminal.stdout.write(`${answers}${prompt}`);
      hasBegun = true;
      text += piece;
      if (!isWhole) terminal.stdout.write(printable(terminal, piece));
    }
    if (!hasBegun) terminal.stdout.write(`${answers}${prompt}`);
    terminal.stdout.write(isWhole ? `${printable(terminal, text)}\n` : "\n");
    lines.prompt();
  }
  lines.close();
}

async function toDataUrl(path: string): Promise<string> {
  const image = await readPicture(path);
  if (!("bytes" in image)) throw new Error("a file's picture is its bytes");
  // The label is not read: the server goes by the bytes.
  return `data:image/png;base64,${Buffer.from(image.bytes).toString("base64")}`;
}
