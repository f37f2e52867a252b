/**
 * Other people's clients, unmodified, against the demo model and a real engine; hanging up is tried on
 * an engine that is slow enough for it. What they do goes into a table of the docs.
 *
 * What the model says is not the matter here: that every client gets what our own engine answers is.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createLogger } from "../../src/base/logger.ts";
import { demoPictures, packageRoot } from "../../src/config/package.ts";
import { Platform } from "../../src/platform.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";
import {
  aiAnthropic,
  aiOpenaiChat,
  aiOpenaiCompatible,
  aiOpenaiResponses,
} from "./clients/ai-sdk.ts";
import { anthropic } from "./clients/anthropic.ts";
import type { ClientUnderTest, Question } from "./clients/client.ts";
import { langchainOllama, langchainOpenai } from "./clients/langchain.ts";
import { llamaIndex, retiredClients } from "./clients/llama-index.ts";
import { ollama } from "./clients/ollama.ts";
import { openaiClients } from "./clients/openai.ts";
import { pythonClients, pythonVersions } from "./clients/python.ts";

const clients: readonly ClientUnderTest[] = [
  ...openaiClients,
  langchainOpenai,
  llamaIndex,
  aiOpenaiCompatible,
  aiOpenaiChat,
  aiOpenaiResponses,
  ollama,
  langchainOllama,
  anthropic,
  aiAnthropic,
  ...pythonClients,
];

const picture = readFileSync(join(demoPictures(), "first.png"));
const page = join(packageRoot(), "docs/reference/clients.md");

const questions = {
  text: { model: "demo", text: "What do you see?" },
  picture: { model: "demo", text: "What do you see?", picture },
  "picture with system text": {
    model: "demo",
    system: "Be brief.",
    text: "What do you see?",
    picture,
  },
} as const satisfies Record<string, Question>;

let platform: Platform;
let url: string;
let slow: FakeServer;
const expected = new Map<Question, string>();
/** Client → feature → how it went. */
const results = new Map<ClientUnderTest, Map<string, "yes" | "no">>();

beforeAll(async () => {
  platform = new Platform({ log: createLogger("silent") });
  await platform.supervisor.launch({
    model: "demo",
    uid: "demo",
    engine: "native",
    profile: "ref",
    maxModelLen: undefined,
    maxNumSeqs: undefined,
    kvCacheDtype: undefined,
    numThreads: 1,
  });
  const instance = await platform.supervisor.whenSettled("demo");
  if (instance.state === "failed") throw instance.error;
  url = await platform.listen({ host: "127.0.0.1", port: 0 });
  slow = await serveFakeEngine({ text: "x".repeat(1_000), tokenDelayMs: 10 });
  for (const question of Object.values(questions)) {
    expected.set(question, await ourAnswer(question));
  }
}, 180_000);
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
  await slow[Symbol.asyncDispose]();
});

/** Without any wire: the picture in front, the system text before the question. */
async function ourAnswer({ system, text, picture: bytes }: Question): Promise<string> {
  const { defaultSampling } = platform.router.about("demo");
  const question = system === undefined ? text : `${system}\n\n${text}`;
  const events = platform.router.generate(
    "demo",
    {
      prompt: {
        type: "chat",
        messages: [
          {
            role: "user",
            content: [
              ...(bytes === undefined ? [] : [{ type: "image" as const, image: { bytes } }]),
              { type: "text", text: question },
            ],
          },
        ],
      },
      sampling: {
        ...defaultSampling,
        temperature: 0,
        maxTokens: undefined,
        presencePenalty: 0,
        frequencyPenalty: 0,
        seed: undefined,
        stop: [],
        logprobs: undefined,
      },
    },
    { signal: new AbortController().signal },
  );
  let answer = "";
  for await (const event of events) if (event.type === "text-delta") answer += event.text;
  return answer;
}

async function joined(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

type Try = (client: ClientUnderTest) => Promise<void>;

const features: Record<string, Try> = {};
for (const [name, question] of Object.entries(questions)) {
  features[`${name}, whole`] = async (client) => {
    expect(await client.ask(url, question)).toBe(expected.get(question));
  };
  features[`${name}, streamed`] = async (client) => {
    expect(await joined(client.stream(url, question))).toBe(expected.get(question));
  };
}
features["hangs up half-way"] = async (client) => {
  slow.engine.requests.length = 0;
  let text = "";
  for await (const piece of client.stream(slow.url, { model: "fake", text: "Go on.", picture })) {
    text += piece;
    if (text.length >= 3) break;
  }
  expect(text).toMatch(/^x+$/);
  expect(slow.engine.requests).toMatchObject([{ prompt: { pictures: [{ width: 288 }] } }]);
  for (let wait = 0; slow.engine.numRunning > 0 && wait < 1_000; wait++) await sleep(10);
  expect(slow.engine.numRunning).toBe(0);
};
features["reads our errors"] = async (client) => {
  const question = { ...questions.text, model: "nobody" };
  // Behind words of Xinference's, where a client asks whether the model is there.
  const sentence = /No model is called \\?"nobody\\?"\. Running: \\?"demo/;
  await expect(client.ask(url, question)).rejects.toThrow(sentence);
  await expect(joined(client.stream(url, question))).rejects.toThrow(sentence);
};

test("the pictures matter: our own answers differ", () => {
  expect(new Set(expected.values()).size).toBeGreaterThan(1);
  expect([...expected.values()].every((answer) => answer.length > 0)).toBe(true);
});

describe.each(
  clients.map((client) => ({ name: `${client.packages.join(" + ")}, ${client.dialect}`, client })),
)("$name", ({ client }) => {
  test.for(Object.entries(features))("%s", async ([feature, tryIt], { skip }) => {
    skip(client.missing !== undefined, `not installed: ${client.missing}`);
    const row = results.get(client) ?? new Map<string, "yes" | "no">();
    results.set(client, row);
    row.set(feature, "no");
    await tryIt(client);
    row.set(feature, "yes");
  });
});

/** `ATALAYA_WRITE_DOCS=1 npx vitest run test/conformance/clients.test.ts` writes it anew. */
test("the table in the docs is what came out", ({ skip }) => {
  const numTried = [...results.values()].reduce((sum, row) => sum + row.size, 0);
  skip(numTried < clients.length * Object.keys(features).length, "only a part was run");
  const text = readFileSync(page, "utf8");
  const [before = "", , after = ""] = text.split(/(?<=<!-- table -->\n\n)|(?=\n<!-- end -->)/);
  const written = `${before}${table()}${after}`;
  if (process.env["ATALAYA_WRITE_DOCS"] === "1") writeFileSync(page, written);
  expect(readFileSync(page, "utf8")).toBe(written);
});

/** Another version of a package stands under an alias: `npm:openai@4.104.0`. */
function shown(name: string, version = "?"): string {
  const [, realName = name, realVersion = version] = /^npm:(.+)@(.+)$/.exec(version) ?? [];
  const [, inPython] = /^(.+) \(Python\)/.exec(name) ?? [];
  return inPython === undefined
    ? `\`${realName}\` ${realVersion}`
    : `Python's \`${inPython}\` ${version}`;
}

function versionsIn(directory: string): Record<string, string> {
  const versions = z.record(z.string(), z.string()).default({});
  const file = z.object({ dependencies: versions, devDependencies: versions });
  const text = readFileSync(join(directory, "package.json"), "utf8");
  const { dependencies, devDependencies } = file.parse(JSON.parse(text));
  return { ...dependencies, ...devDependencies };
}

function table(): string {
  const versions = {
    ...versionsIn(retiredClients),
    ...versionsIn(packageRoot()),
    ...pythonVersions(),
  };
  const names = Object.keys(features);
  const rows = clients.map((client) => [
    client.packages.map((name) => shown(name, versions[name])).join(", "),
    client.dialect,
    ...names.map((name) => results.get(client)?.get(name) ?? "not tried"),
  ]);
  const lines = [
    ["client", "speaks", ...names],
    ["client", "speaks", ...names].map(() => "---"),
    ...rows,
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}
