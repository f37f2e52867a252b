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
import type { ClientUnderTest, Question, Shape } from "./clients/client.ts";
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
/** A model that calls without being told to, since Ollama's API cannot tell it. */
let calling: FakeServer;
const expected = new Map<Question, string>();
let expectedLogprobs: readonly number[];
let expectedObject: unknown;
let expectedCall: unknown;
type Result = "yes" | "no" | "not in it";
/** Client → feature → how it went. */
const results = new Map<ClientUnderTest, Map<string, Result>>();

const shape: Shape = {
  name: "report_shape",
  schema: {
    type: "object",
    properties: {
      color: { type: "string", enum: ["red", "green", "blue", "yellow"] },
      shape: { type: "string", enum: ["circle", "square", "triangle"] },
    },
    required: ["color", "shape"],
    additionalProperties: false,
  },
};

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
  calling = await serveFakeEngine(JSON.stringify({ name: shape.name, parameters: scripted }));
  for (const question of Object.values(questions)) {
    expected.set(question, (await ourAnswer(question)).text);
  }
  expectedLogprobs = (await ourAnswer(questions.picture)).logprobs;
  expectedObject = JSON.parse((await ourAnswer(questions.picture, { form: shape })).text);
  expectedCall = (await ourAnswer(questions.picture, { tool: shape })).arguments;
}, 180_000);
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
  await slow[Symbol.asyncDispose]();
  await calling[Symbol.asyncDispose]();
});

/** Without any wire: the picture in front, the system text before the question. */
async function ourAnswer(
  { system, text, picture: bytes }: Question,
  held: Held = {},
): Promise<OurAnswer> {
  const { defaultSampling } = platform.router.about("demo");
  const question = system === undefined ? text : `${system}\n\n${text}`;
  const events = platform.router.generate(
    "demo",
    {
      prompt: {
        type: "chat",
        ...(held.tool !== undefined && {
          tools: {
            functions: [
              {
                name: held.tool.name,
                parameters: held.tool.schema,
                isStrict: false,
                field: "tools[0]",
              },
            ],
            choice: { type: "named" as const, name: held.tool.name },
          },
        }),
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
        logprobs: 2,
      },
      ...(held.form !== undefined && {
        form: { type: "json-schema" as const, schema: held.form.schema, field: "form" },
      }),
    },
    { signal: new AbortController().signal },
  );
  let answer = "";
  let args: unknown;
  const logprobs: number[] = [];
  for await (const event of events) {
    if (event.type === "text-delta") {
      answer += event.text;
      logprobs.push(...event.tokens.map(({ logprob }) => logprob ?? Number.NaN));
    }
    if (event.type === "finish") args = event.toolCalls?.[0]?.arguments;
  }
  return { text: answer, logprobs, arguments: typeof args === "string" ? JSON.parse(args) : args };
}

type Held = { readonly form?: Shape; readonly tool?: Shape };
type OurAnswer = {
  readonly text: string;
  readonly logprobs: readonly number[];
  /** Of the call, where there is one. */
  readonly arguments: unknown;
};

async function joined(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

const scripted = { color: "green", shape: "square" };

type Try = (client: ClientUnderTest) => Promise<void>;

/** The client, or the API it speaks, has no such feature. */
class NotInIt extends Error {}

const features: Record<string, Try> = {};
for (const [name, question] of Object.entries(questions)) {
  features[`${name}, whole`] = async (client) => {
    expect(await client.ask(url, question)).toBe(expected.get(question));
  };
  features[`${name}, streamed`] = async (client) => {
    expect(await joined(client.stream(url, question))).toBe(expected.get(question));
  };
}
features["answer of a schema"] = async (client) => {
  if (client.object === undefined) throw new NotInIt();
  expect(await client.object(url, questions.picture, shape)).toEqual(expectedObject);
};
features["calls a tool"] = async (client) => {
  if (client.call === undefined) throw new NotInIt();
  const isOllama = client.dialect === "Ollama";
  const asked = isOllama ? { ...questions.picture, model: "fake" } : questions.picture;
  const made = await client.call(isOllama ? calling.url : url, asked, shape);
  expect(made?.name).toBe(shape.name);
  expect(made?.arguments).toEqual(isOllama ? scripted : expectedCall);
};
features["several answers"] = async (client) => {
  if (client.several === undefined) throw new NotInIt();
  const whole = expected.get(questions.text);
  expect(await client.several(url, questions.text, 2)).toEqual([whole, whole]);
};
features["log-probabilities"] = async (client) => {
  if (client.logprobs === undefined) throw new NotInIt();
  const got = await client.logprobs(url, questions.picture);
  // The end of the turn is a token, but no text.
  expect(got.length).toBeGreaterThan(0);
  for (const [index, logprob] of got.entries()) {
    expect(logprob).toBeCloseTo(expectedLogprobs[index] ?? Number.NaN, 3);
  }
};
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

test("the schema and the tool matter: our own answers have their forms", () => {
  const { properties } = shape.schema as { properties: Record<string, { enum: string[] }> };
  for (const answer of [expectedObject, expectedCall] as Record<string, string>[]) {
    expect(Object.keys(answer)).toEqual(Object.keys(properties));
    for (const [name, value] of Object.entries(answer)) {
      expect(properties[name]?.enum).toContain(value);
    }
  }
});

test("the pictures matter: our own answers differ", () => {
  expect(new Set(expected.values()).size).toBeGreaterThan(1);
  expect([...expected.values()].every((answer) => answer.length > 0)).toBe(true);
});

describe.each(
  clients.map((client) => ({ name: `${client.packages.join(" + ")}, ${client.dialect}`, client })),
)("$name", ({ client }) => {
  test.for(Object.entries(features))("%s", async ([feature, tryIt], { skip }) => {
    skip(client.missing !== undefined, `not installed: ${client.missing}`);
    const row = results.get(client) ?? new Map<string, Result>();
    results.set(client, row);
    row.set(feature, "no");
    try {
      await tryIt(client);
    } catch (error) {
      if (!(error instanceof NotInIt)) throw error;
      row.set(feature, "not in it");
      skip("the client has no such feature");
    }
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
