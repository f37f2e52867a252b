/** Python's clients, each in a process of its own that is told what to ask, a line at a time. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { packageRoot } from "../../../src/base/package-root.ts";
import { lackOfPython, testPython } from "../../support/python.ts";
import { type Called, type ClientUnderTest, dataUrl, type Question } from "./client.ts";

const main = fileURLToPath(new URL("python/main.py", import.meta.url));
/** An older version of a package lies beside the others, where only one client sees it. */
export const olderXinferenceClient = resolve(testPython, "../../xinference-client-0.16");

const Answer = z.object({
  text: z.string().optional(),
  piece: z.string().optional(),
  end: z.boolean().optional(),
  error: z.string().optional(),
  result: z.unknown().optional(),
});

/** What a module has beside `ask` and `stream`. */
export type PythonVerb = "object" | "call" | "several" | "logprobs";

/** Keeps one client's process for all that it is asked. */
class PythonProcess {
  readonly #args: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcessWithoutNullStreams | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(module: string, path: string | undefined) {
    this.#args = ["-u", main, module];
    this.#env = { ...process.env, ...(path !== undefined && { PYTHONPATH: path }) };
  }

  async tell(command: Readonly<Record<string, unknown>>): Promise<z.infer<typeof Answer>> {
    if (this.#child === undefined || this.#lines === undefined) {
      const child = spawn(testPython, this.#args, { env: this.#env });
      child.stderr.resume();
      await once(child, "spawn");
      this.#child = child;
      this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      // It ends when its input does, which is when this process ends.
      child.unref();
    }
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`${this.#args.join(" ")} ended without an answer`);
    const answer = Answer.parse(JSON.parse(value));
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}

function toWire({ picture, ...question }: Question): Record<string, unknown> {
  return { ...question, ...(picture !== undefined && { picture: dataUrl(picture) }) };
}

type About = Pick<ClientUnderTest, "packages" | "dialect" | "missing">;

function clientIn(
  module: string,
  about: About,
  verbs: readonly PythonVerb[],
  path?: string,
): ClientUnderTest {
  const python = new PythonProcess(module, path);
  const perform =
    <Result>(verb: PythonVerb) =>
    async (url: string, question: Question, more?: unknown): Promise<Result> => {
      const asked = { url, question: toWire(question), more };
      // What a module answers is looked at by the test.
      return (await python.tell({ do: verb, ...asked })).result as Result;
    };
  return {
    ...about,
    ...(verbs.includes("object") && { object: perform<unknown>("object") }),
    ...(verbs.includes("call") && { call: perform<Called | undefined>("call") }),
    ...(verbs.includes("several") && { several: perform<readonly string[]>("several") }),
    ...(verbs.includes("logprobs") && { logprobs: perform<readonly number[]>("logprobs") }),
    async ask(url, question) {
      return (await python.tell({ do: "ask", url, question: toWire(question) })).text ?? "";
    },
    async *stream(url, question) {
      await python.tell({ do: "stream", url, question: toWire(question) });
      try {
        for (;;) {
          const { piece, end } = await python.tell({ do: "next" });
          if (end === true) return;
          yield piece ?? "";
        }
      } finally {
        await python.tell({ do: "close" });
      }
    },
  };
}

/** Pinned versions, by `NAME (Python)`. */
export function pythonVersions(): Record<string, string> {
  const files = ["requirements.txt", "requirements-xinference-0.16.txt"];
  const pins = files.flatMap((file) => [
    ...readFileSync(join(packageRoot(), "test", file), "utf8").matchAll(/^([\w-]+)==([\w.]+)$/gm),
  ]);
  return Object.fromEntries(
    pins.map(([, name = "", version = ""]) => [keyOf(name, version), version]),
  );
}

const keyOf = (name: string, version: string): string =>
  `${name} (Python)${version.startsWith("0.16") ? " 0.16" : ""}`;

const modules = ["openai", "anthropic", "ollama", "langchain_openai", "xinference_client"];
const missing = await lackOfPython(modules);
const install = missing === undefined ? undefined : "pip install -r test/requirements.txt";

const about = (name: string, dialect: ClientUnderTest["dialect"]): About => ({
  packages: [`${name} (Python)`],
  dialect,
  missing: install,
});

const all: readonly PythonVerb[] = ["object", "call", "several", "logprobs"];

export const pythonClients: readonly ClientUnderTest[] = [
  clientIn("openai_client", about("openai", "OpenAI"), all),
  clientIn("langchain_openai_client", about("langchain-openai", "OpenAI"), all),
  clientIn("ollama_client", about("ollama", "Ollama"), ["object", "call", "logprobs"]),
  clientIn("anthropic_client", about("anthropic", "Anthropic"), ["object", "call"]),
  clientIn("xinference_client_sync", about("xinference-client", "Xinference"), all),
  clientIn("xinference_client_async", about("xinference-client", "Xinference, async"), all),
  clientIn(
    "xinference_client_sync",
    { ...about("xinference-client", "Xinference"), packages: ["xinference-client (Python) 0.16"] },
    all,
    olderXinferenceClient,
  ),
];
