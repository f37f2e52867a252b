/** Answers of a form, and several answers at once: OpenAI's client, the demo model, a real engine. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { demoPictures } from "../../src/config/package.ts";
import { Platform } from "../../src/platform.ts";

const picture = `data:image/png;base64,${readFileSync(join(demoPictures(), "first.png")).toString("base64")}`;
const wide = `data:image/png;base64,${readFileSync(join(demoPictures(), "wide.png")).toString("base64")}`;
const looking: OpenAI.Chat.ChatCompletionMessageParam[] = [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: picture } },
      { type: "text", text: "What do you see?" },
    ],
  },
];
const asking: OpenAI.Chat.ChatCompletionMessageParam[] = [
  { role: "user", content: "What do you see?" },
];
const schema = {
  type: "object",
  properties: {
    color: { enum: ["red", "green", "blue"] },
    count: { type: "integer", minimum: 1, maximum: 9 },
  },
  required: ["color", "count"],
  additionalProperties: false,
};

let platform: Platform;
let url: string;
let client: OpenAI;

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
    numThreads: undefined,
  });
  const instance = await platform.supervisor.whenSettled("demo");
  if (instance.state === "failed") throw instance.error;
  url = await platform.listen({ host: "127.0.0.1", port: 0 });
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
}, 120_000);

afterAll(async () => {
  await platform[Symbol.asyncDispose]();
});

/** Fields that OpenAI's types do not know. */
async function ask(fields: object, messages = asking): Promise<OpenAI.Chat.ChatCompletion> {
  return await client.chat.completions.create({
    model: "demo",
    messages,
    max_tokens: 60,
    temperature: 0,
    ...fields,
  });
}

const textOf = ({ choices }: OpenAI.Chat.ChatCompletion, index = 0): string =>
  choices[index]?.message.content ?? "";

describe("an answer has the form that was asked for", () => {
  test("which ends at max_tokens where the form has no end (TO-07)", async () => {
    const endless = await ask({ guided_grammar: 'root ::= "a" root', max_tokens: 20 });
    expect(endless.choices[0]).toMatchObject({
      finish_reason: "length",
      message: { content: "a".repeat(20) },
    });
  });

  test("a schema, with and without a picture, drawn at random too", async () => {
    const validate = new Ajv2020().compile(schema);
    for (const [messages, temperature] of [
      [asking, 0],
      [looking, 0],
      [asking, 2],
    ] as const) {
      const answer = await ask(
        {
          temperature,
          seed: 3,
          response_format: {
            type: "json_schema",
            json_schema: { name: "s", strict: true, schema },
          },
        },
        messages,
      );
      expect(validate(JSON.parse(textOf(answer))), textOf(answer)).toBe(true);
      expect(answer.choices[0]?.finish_reason).toBe("stop");
    }
  });

  test("any object; cut short it says so", async () => {
    const whole = await ask({ response_format: { type: "json_object" }, max_tokens: 400, seed: 1 });
    expect(textOf(whole)).toMatch(/^\{/);
    expect(textOf(await ask({ guided_json_object: true, max_tokens: 400 }))).toMatch(/^\{/);
    const cut = await ask({ response_format: { type: "json_object" }, max_tokens: 2 });
    expect(cut.choices[0]?.finish_reason).toBe("length");
  });

  test("of a response, whole, streamed and as the client's own helper reads it", async () => {
    const format = { type: "json_schema", name: "s", strict: true, schema } as const;
    const question = { model: "demo", input: "What do you see?", text: { format } };
    const whole = await client.responses.parse(question);
    expect(whole.output_parsed).toMatchObject({ color: expect.any(String) });
    expect(whole).toMatchObject({ status: "completed", text: { format } });
    const { output_text: streamed } = await client.responses
      .stream({ ...question, temperature: 2 })
      .finalResponse();
    expect(new Ajv2020().compile(schema)(JSON.parse(streamed)), streamed).toBe(true);
    const object = { format: { type: "json_object" }, verbosity: "low" } as const;
    const any = await client.responses.create({ ...question, text: object });
    expect(any.output_text).toMatch(/^\{/);
  });

  test.each([
    [{ guided_json: JSON.stringify(schema) }, /^\{"color": "(red|green|blue)", "count": [1-9]\}$/],
    [{ guided_regex: "[a-f]{3}-\\d{2}" }, /^[a-f]{3}-\d{2}$/],
    [{ guided_choice: ["yes", "no, never"] }, /^(yes|no, never)$/],
    [{ guided_grammar: 'root ::= "a" ("b" | "c")+ "d" | "x"' }, /^(a[bc]+d?|x)/],
    [{ structured_outputs: { choice: ["left", "right"] } }, /^(left|right)$/],
  ])("%j", async (fields, pattern) => {
    expect(textOf(await ask({ ...fields, temperature: 1, seed: 5 }))).toMatch(pattern);
  });

  test("streamed and for plain completions too", async () => {
    const stream = await client.chat.completions.create({
      model: "demo",
      messages: asking,
      stream: true,
      response_format: { type: "json_schema", json_schema: { name: "s", schema } },
    });
    let text = "";
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? "";
    expect(JSON.parse(text)).toHaveProperty("color");
    const fields = { guided_choice: [" red", " blue"] };
    const completion = await client.completions.create({
      model: "demo",
      prompt: "The color is",
      ...fields,
    });
    expect(completion.choices[0]?.text).toMatch(/^ (red|blue)$/);
  });

  test.each([
    [
      { response_format: { type: "json_schema", json_schema: { name: "s", schema: { not: {} } } } },
      "unsupported_parameter",
      "response_format.json_schema.schema.not",
    ],
    [{ guided_regex: "(" }, "invalid_request", "guided_regex"],
    [{ guided_grammar: "root ::= other" }, "invalid_request", null],
    [{ guided_choice: ["a"], guided_regex: "b" }, "invalid_request", "guided_choice"],
    [{ logit_bias: { 999999999: 1 } }, "invalid_request", "logit_bias"],
    [{ logit_bias: { abc: 1 } }, "invalid_request", "logit_bias"],
    [{ logit_bias: { 5: 101 } }, "invalid_request", "logit_bias.5"],
    [{ n: 0 }, "invalid_request", "n"],
    [{ n: 1_000_000_000 }, "invalid_request", "n"],
    [{ min_tokens: 61 }, "invalid_request", "min_tokens"],
    [{ choices: ["a", "a"] }, "invalid_request", "choices"],
    [{ user: "u".repeat(2_000) }, "invalid_request", "user"],
  ])("is refused, and nothing else suffers: %j", async (fields, code, param) => {
    await expect(ask(fields)).rejects.toMatchObject({ status: 400, code, param });
    expect(textOf(await ask({ guided_choice: ["fine"] }))).toBe("fine");
  });
});

describe("several answers", () => {
  test("each have a seed of their own, and the prompt counts once", async () => {
    const one = await ask({ seed: 7, temperature: 1.5, max_tokens: 8 });
    const three = await ask(
      { seed: 7, temperature: 1.5, max_tokens: 8, n: 3, logprobs: true },
      asking,
    );
    expect(three.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(textOf(three)).toBe(textOf(one));
    const last = await ask({ seed: 9, temperature: 1.5, max_tokens: 8 });
    expect(textOf(three, 2)).toBe(textOf(last));
    expect(three.usage?.prompt_tokens).toBe(one.usage?.prompt_tokens);
    const numTokens = three.choices.map(({ logprobs }) => logprobs?.content?.length ?? 0);
    expect(three.usage?.completion_tokens).toBe(numTokens.reduce((a, b) => a + b));
  });

  test("come side by side in a stream, each with its end, and one picture is encoded once", async () => {
    const stream = await client.chat.completions.create({
      model: "demo",
      messages: looking,
      n: 2,
      stream: true,
      stream_options: { include_usage: true },
    });
    const ends: number[] = [];
    let numUsages = 0;
    for await (const { choices, usage } of stream) {
      for (const choice of choices) if (choice.finish_reason !== null) ends.push(choice.index);
      if (usage != null) numUsages += 1;
    }
    expect(new Set(ends)).toEqual(new Set([0, 1]));
    expect(ends).toHaveLength(2);
    expect(numUsages).toBe(1);
  });

  test("the best of several is the likeliest of them", async () => {
    const create = async (fields: object) =>
      await client.completions.create({
        model: "demo",
        prompt: "What do",
        max_tokens: 6,
        temperature: 1.5,
        seed: 1,
        logprobs: 0,
        ...fields,
      });
    const mean = (choice: OpenAI.CompletionChoice | undefined): number => {
      const logprobs = choice?.logprobs?.token_logprobs ?? [];
      return logprobs.reduce((sum, logprob) => sum + logprob, 0) / logprobs.length;
    };
    const all = await create({ n: 4 });
    const best = await create({ best_of: 4 });
    expect(mean(best.choices[0])).toBe(Math.max(...all.choices.map(mean)));
    expect(best.usage?.completion_tokens).toBe(all.usage?.completion_tokens);
  });
});

describe("what a model thinks of given text", () => {
  test("options have probabilities that make one, as their tokens have", async () => {
    const texts = ["red", "green", "blue"];
    const answer = await ask({ choices: texts }, looking);
    const { options } = answer.choices[0] as unknown as {
      options: { text: string; logprob: number; probability: number }[];
    };
    expect(options.map(({ text }) => text)).toEqual(texts);
    expect(options.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 12);
    const best = options.toSorted((a, b) => b.probability - a.probability)[0];
    expect(textOf(answer)).toBe(best?.text);
    // The same text, chosen token by token, is worth the same.
    const said = await ask({ guided_choice: [best?.text], logprobs: true }, looking);
    const sum = said.choices[0]?.logprobs?.content?.reduce((s, { logprob }) => s + logprob, 0);
    expect(sum).toBeCloseTo(best?.logprob ?? 0, 3);
  });

  test("a prompt is given back with its own log-probabilities", async () => {
    const prompt = "What do you see?";
    const { choices } = await client.completions.create({
      model: "demo",
      prompt,
      echo: true,
      logprobs: 2,
      max_tokens: 0,
    });
    const [choice] = choices;
    expect(choice?.text).toBe(prompt);
    expect(choice?.logprobs?.tokens?.join("")).toBe(prompt);
    expect(choice?.logprobs?.text_offset?.[0]).toBe(0);
    expect(choice?.logprobs?.token_logprobs?.every((logprob) => logprob <= 0)).toBe(true);
    const answered = await client.completions.create({
      model: "demo",
      prompt,
      echo: true,
      max_tokens: 3,
    });
    expect(answered.choices[0]?.text.startsWith(prompt)).toBe(true);
  });
});

test("a picture of little detail is one tile, and not the one of full detail", async () => {
  const seen = async (detail: "low" | "high") => {
    const answer = await ask({ max_tokens: 1 }, [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: wide, detail } },
          { type: "text", text: "What do you see?" },
        ],
      },
    ]);
    const { atalaya } = answer as unknown as {
      atalaya: { images: { grid: { rows: number; columns: number } }[]; ignored_fields: string[] };
    };
    expect(atalaya.ignored_fields).toEqual([]);
    return atalaya.images[0]?.grid;
  };
  const full = await seen("high");
  expect((full?.rows ?? 0) * (full?.columns ?? 0)).toBeGreaterThan(1);
  expect(await seen("low")).toEqual({ rows: 1, columns: 1 });
  expect(await seen("high")).toEqual(full);
});

test("a bias decides, and an answer has its least length", async () => {
  const instance = platform.supervisor.get("demo");
  if (instance.state !== "ready") throw new Error("the demo is not ready");
  const [id] = await instance.pipeline.tokenizer.encode("green", { specialTokens: false });
  if (id === undefined) throw new Error("no token");
  const piece = new TextDecoder().decode(instance.pipeline.tokenizer.vocabulary.bytesOf(id));
  const biased = await ask({ logit_bias: { [id]: 100 }, max_tokens: 3 });
  expect(textOf(biased)).toBe(piece.repeat(3));
  const long = await ask({ min_tokens: 40, max_tokens: 40 });
  expect(long.usage?.completion_tokens).toBe(40);
  const endless = await ask({ ignore_eos: true, max_tokens: 45 });
  expect(endless.usage?.completion_tokens).toBe(45);
});
