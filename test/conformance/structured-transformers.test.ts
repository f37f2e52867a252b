/** Answers of a form from the Transformers engine: OpenAI's client, the demo model, the worker that a launch starts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { demoPictures } from "../../src/config/package.ts";
import { Platform } from "../../src/platform.ts";
import { lackOfPython, testPython } from "../support/python.ts";

// A Python worker reads PyTorch for seconds, on a busy machine for many.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const lacks = await lackOfPython(["torch", "transformers", "grpc", "xgrammar"]);
const schema = {
  type: "object",
  properties: {
    color: { enum: ["red", "green", "blue"] },
    count: { type: "integer", minimum: 1, maximum: 9 },
  },
  required: ["color", "count"],
  additionalProperties: false,
};
const picture = readFileSync(join(demoPictures(), "first.png")).toString("base64");
const asking: OpenAI.Chat.ChatCompletionMessageParam[] = [
  { role: "user", content: "What do you see?" },
];
const looking: OpenAI.Chat.ChatCompletionMessageParam[] = [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: `data:image/png;base64,${picture}` } },
      { type: "text", text: "What do you see?" },
    ],
  },
];

const title = lacks === undefined ? "" : ` (skipped: there is no ${lacks})`;

describe.skipIf(lacks !== undefined)(`forms of answers, from Transformers${title}`, () => {
  let platform: Platform;
  let client: OpenAI;

  beforeAll(async () => {
    vi.stubEnv("ATALAYA_TRANSFORMERS_PYTHON", testPython);
    platform = new Platform({ log: createLogger("silent") });
    await platform.supervisor.launch({
      model: "demo",
      uid: "demo",
      engine: "transformers",
      profile: "ref",
      maxModelLen: undefined,
      maxNumSeqs: undefined,
      kvCacheDtype: undefined,
      numThreads: undefined,
    });
    const instance = await platform.supervisor.whenSettled("demo");
    if (instance.state === "failed") throw instance.error;
    const url = await platform.listen({ host: "127.0.0.1", port: 0 });
    client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 100_000 });
  });

  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
  });

  /** Fields that OpenAI's types do not know. */
  const ask = async (fields: object, messages = asking): Promise<OpenAI.Chat.ChatCompletion> =>
    await client.chat.completions.create({
      model: "demo",
      messages,
      max_tokens: 60,
      temperature: 0,
      ...fields,
    });
  const textOf = ({ choices }: OpenAI.Chat.ChatCompletion): string =>
    choices[0]?.message.content ?? "";

  test("a schema, with and without a picture, drawn at random too", async () => {
    const validate = new Ajv2020().compile(schema);
    const response_format = {
      type: "json_schema",
      json_schema: { name: "s", strict: true, schema },
    };
    for (const [messages, temperature] of [
      [asking, 0],
      [looking, 0],
      [asking, 2],
    ] as const) {
      const answer = await ask({ temperature, seed: 3, response_format }, messages);
      expect(validate(JSON.parse(textOf(answer))), textOf(answer)).toBe(true);
      expect(answer.choices[0]?.finish_reason).toBe("stop");
    }
  });

  test.each([
    [{ guided_json: JSON.stringify(schema) }, /^\{"color": "(red|green|blue)", "count": [1-9]\}$/],
    [{ guided_regex: "[a-f]{3}-\\d{2}" }, /^[a-f]{3}-\d{2}$/],
    [{ guided_choice: ["yes", "no, never"] }, /^(yes|no, never)$/],
    [{ guided_grammar: 'root ::= "a" ("b" | "c")+ "d" | "x"' }, /^(a[bc]+d?|x)/],
    [{ guided_grammar: 'root ::= "ok"', min_tokens: 20 }, /^ok$/],
  ])("%j", async (fields, pattern) => {
    expect(textOf(await ask({ ...fields, temperature: 1, seed: 5 }))).toMatch(pattern);
  });

  test("one that can never finish ends with the tokens that were granted", async () => {
    const answer = await ask({ guided_grammar: 'root ::= "ab" root', max_tokens: 9 });
    expect(textOf(answer)).toMatch(/^(ab?)+$/);
    expect(answer.choices[0]?.finish_reason).toBe("length");
    expect(answer.usage?.completion_tokens).toBe(9);
  });

  test("streamed, and many at once beside answers without a form", async () => {
    const stream = await client.chat.completions.create({
      model: "demo",
      messages: asking,
      stream: true,
      response_format: { type: "json_schema", json_schema: { name: "s", schema } },
    });
    let text = "";
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? "";
    expect(JSON.parse(text)).toHaveProperty("color");
    const plain = textOf(await ask({}));
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, index) =>
        ask(index % 2 === 0 ? { guided_regex: `[a-z]{${1 + (index % 8)}}` } : {}),
      ),
    );
    for (const [index, answer] of answers.entries()) {
      if (index % 2 === 1) expect(textOf(answer)).toBe(plain);
      else expect(textOf(answer)).toMatch(new RegExp(`^[a-z]{${1 + (index % 8)}}$`));
    }
  });

  test.each([
    { guided_grammar: "root ::= other" },
    { guided_grammar: `root ::= ${"(".repeat(12)}[a-z]${"{1,200})".repeat(12)}` },
  ])("is refused, and nothing else suffers: %j", async (fields) => {
    await expect(ask(fields)).rejects.toMatchObject({ status: 400, code: "invalid_request" });
    expect(textOf(await ask({ guided_choice: ["fine"] }))).toBe("fine");
  });
});
