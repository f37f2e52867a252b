import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { createLogger } from "../../base/logger.ts";
import { demoPictures } from "../../config/package.ts";
import { isLoopback, readSettings, type SettingFlags } from "../../config/settings.ts";
import { Platform } from "../../platform.ts";
import { printAnswer, readPicture } from "../ask.ts";
import { invocation } from "../invocation.ts";
import { launchShown, localSource } from "../local-source.ts";
import { addListenOptions, addLoadOptions, addLogOption, type LoadFlags } from "../options.ts";
import { aborted, listenForInterrupt } from "../signals.ts";
import { grey, note, type Terminal } from "../terminal.ts";

type DemoFlags = SettingFlags & LoadFlags & { readonly once?: boolean };

/** What the demo asks first, and what it proposes to ask next: `demo/pictures/first-question.json`. */
const FirstQuestion = z.object({
  picture: z.string().regex(/^[\w.-]+$/),
  question: z.string().min(1),
  next: z
    .object({ picture: z.string().regex(/^[\w.-]+$/), question: z.string().min(1) })
    .optional(),
});

export function demo(program: Command, terminal: Terminal): void {
  const command = program
    .command("demo")
    .description("Serve the small bundled model and ask it one question about a picture.")
    .option("--once", "end after the answer")
    .addHelpText("after", "\nExample:\n  $ atalaya demo --once")
    .action((flags: DemoFlags) => runDemo(flags, terminal));
  addLogOption(addLoadOptions(addListenOptions(command)));
}

async function runDemo(flags: DemoFlags, terminal: Terminal): Promise<void> {
  const settings = readSettings(flags, terminal.env);
  if (!isLoopback(settings.host)) {
    throw new PlatformError(
      "invalid_request",
      `The demo asks nobody for a key, and other machines reach ${settings.host}. Serve it with keys: atalaya serve demo --host ${settings.host}`,
    );
  }
  terminal.stdout.write(
    "This is a small demo model: it knows coloured shapes and numbers, and nothing else.\n",
  );
  using interrupt = listenForInterrupt(() =>
    note(terminal, "\nStopping. Ctrl-C again stops at once."),
  );
  const { signal } = interrupt;
  const platform = new Platform({ log: createLogger(settings.logLevel), settings });
  try {
    const url = await platform.listen(settings);
    const options = { model: "demo", uid: "demo", flags };
    const uid = await launchShown(platform, options, terminal, signal);
    const loaded = { platform, uid, [Symbol.asyncDispose]: async () => undefined };
    await askFirstQuestion(loaded, terminal, signal);
    if (flags.once !== true) {
      showWhatNext(url, terminal, await readFirstQuestion());
      await aborted(signal);
    }
    await platform.close();
  } catch (error) {
    await platform[Symbol.asyncDispose]();
    if (!signal.aborted) throw error;
  }
  // Ctrl-C is how a demo ends; only a `--once` that was cut short did not do its work.
  if (flags.once === true) signal.throwIfAborted();
}

async function askFirstQuestion(
  loaded: Parameters<typeof localSource>[0],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { picture, question } = await readFirstQuestion();
  const path = join(demoPictures(), picture);
  const image = await readPicture(path);
  terminal.stdout.write(`\n${showPath(path, terminal)}\n> ${question}\n`);
  const turn = {
    role: "user" as const,
    content: [
      { type: "image" as const, image },
      { type: "text" as const, text: question },
    ],
  };
  await printAnswer(localSource(loaded), [turn], {
    sampling: { temperature: 0 },
    signal,
    names: [picture],
    terminal,
  });
  signal.throwIfAborted();
}

async function readFirstQuestion(): Promise<z.infer<typeof FirstQuestion>> {
  const path = join(demoPictures(), "first-question.json");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new PlatformError(
      "model_not_found",
      `The demo's pictures are missing: there is no ${path}. Install the package again.`,
      { cause },
    );
  });
  return FirstQuestion.parse(JSON.parse(text));
}

function showWhatNext(
  url: string,
  terminal: Terminal,
  { picture, question, next }: z.infer<typeof FirstQuestion>,
): void {
  const ask = next ?? { picture, question };
  const path = showPath(join(demoPictures(), ask.picture), terminal);
  const command = invocation(process.argv[1], terminal.cwd);
  const endpoint = url === "http://127.0.0.1:9997" ? "" : ` --endpoint ${url}`;
  terminal.stdout.write(`
Serving at ${url}/v1 as the model "demo", for any OpenAI client. In another terminal:

  ${command} run demo${endpoint} "${ask.question} ${path}"

  ${curlLine(url, ask.question, path)}

`);
  note(terminal, grey(terminal, "Stop with Ctrl-C."));
}

/** One line for a POSIX shell. */
function curlLine(url: string, question: string, path: string): string {
  const body = JSON.stringify({
    model: "demo",
    temperature: 0,
    messages: [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "data:image/png;base64,PICTURE" } },
          { type: "text", text: question },
        ],
      },
    ],
  });
  const data = body
    .replace(/'/g, "'\\''")
    .replace("PICTURE", `'"$(base64 < ${path} | tr -d '\\n')"'`);
  return `curl -s ${url}/v1/chat/completions -H 'content-type: application/json' -d '${data}'`;
}

function showPath(path: string, { cwd }: Terminal): string {
  const short = relative(cwd, path);
  return short.startsWith("..") ? path : `./${short}`;
}
