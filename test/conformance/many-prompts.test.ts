/** Several prompts in one completion, as texts and as token ids: OpenAI's client and LangChain's LLM class. */
import { setTimeout as sleep } from "node:timers/promises";
import { OpenAI as LangChainLlm } from "@langchain/openai";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { Platform } from "../../src/platform.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

const prompts = ["What do you see? A", "The picture shows", "There are two"];

describe("the demo model", () => {
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
  afterAll(async () => await platform[Symbol.asyncDispose]());

  const settings = { model: "demo", temperature: 0, max_tokens: 8 } as const;
  const complete = async (
    prompt: string | string[] | number[] | number[][],
    fields: Partial<OpenAI.CompletionCreateParamsNonStreaming> = {},
  ): Promise<OpenAI.Completion> =>
    await client.completions.create({ ...settings, ...fields, prompt });

  async function encode(text: string): Promise<number[]> {
    const instance = platform.supervisor.get("demo");
    if (instance.state !== "ready") throw new Error("the demo is not ready");
    const { pipeline, engine } = instance;
    const ids = await pipeline.tokenizer.encode(text, { specialTokens: true });
    return [engine.model.bosTokenId, ...ids];
  }

  test("answers each as it would have been answered alone, and counts all of them", async () => {
    const together = await complete(prompts);
    expect(together.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    const alone = await Promise.all(prompts.map(async (prompt) => await complete(prompt)));
    expect(together.choices.map(({ text }) => text)).toEqual(
      alone.map(({ choices }) => choices[0]?.text),
    );
    expect(new Set(together.choices.map(({ text }) => text)).size).toBeGreaterThan(1);
    const sum = (count: (usage: OpenAI.CompletionUsage) => number): number =>
      alone.reduce((total, { usage }) => total + (usage === undefined ? 0 : count(usage)), 0);
    expect(together.usage).toMatchObject({
      prompt_tokens: sum((usage) => usage.prompt_tokens),
      completion_tokens: sum((usage) => usage.completion_tokens),
      total_tokens: sum((usage) => usage.total_tokens),
    });
  });

  test("numbers the answers prompt by prompt, and gives each its own prompt back", async () => {
    const fields = { n: 2, best_of: 3, echo: true, logprobs: 1, temperature: 1, seed: 5 };
    const { choices, usage } = await complete(prompts, fields);
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { index, text, logprobs } of choices) {
      const prompt = prompts[Math.floor(index / 2)] ?? "none";
      expect(text.startsWith(prompt)).toBe(true);
      expect(logprobs?.tokens?.join("").startsWith(prompt)).toBe(true);
      expect(logprobs?.text_offset?.length).toBe(logprobs?.token_logprobs?.length);
    }
    // Nine were generated, and each of the prompts counts once.
    expect(usage?.completion_tokens).toBeLessThanOrEqual(9 * 8);
    expect(usage?.prompt_tokens).toBe((await complete(prompts)).usage?.prompt_tokens);
  });

  test("streams them side by side, each piece with its number", async () => {
    const whole = await complete(prompts, { echo: true, n: 2, temperature: 0 });
    const stream = await client.completions.create({
      ...settings,
      prompt: prompts,
      n: 2,
      echo: true,
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts = new Map<number, string>();
    const finishes = new Map<number, number>();
    const order: number[] = [];
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      usage = chunk.usage ?? usage;
      for (const { index, text, finish_reason: reason } of chunk.choices) {
        texts.set(index, (texts.get(index) ?? "") + text);
        order.push(index);
        if (reason !== null) finishes.set(index, (finishes.get(index) ?? 0) + 1);
      }
    }
    expect(whole.choices.map(({ index, text }) => [index, text])).toEqual(
      [...texts].toSorted(([a], [b]) => a - b),
    );
    expect([...finishes.values()]).toEqual([1, 1, 1, 1, 1, 1]);
    expect(order).not.toEqual(order.toSorted((a, b) => a - b));
    expect(usage).toMatchObject({
      prompt_tokens: whole.usage?.prompt_tokens,
      completion_tokens: whole.usage?.completion_tokens,
    });
  });

  test("takes token ids, one prompt or several, and echoes what they say", async () => {
    const ids = await Promise.all(prompts.map(encode));
    const texts = await complete(prompts);
    const several = await complete(ids);
    expect(several.choices.map(({ text }) => text)).toEqual(texts.choices.map(({ text }) => text));
    expect(several.usage?.prompt_tokens).toBe(texts.usage?.prompt_tokens);
    const [first = []] = ids;
    const one = await complete(first, { echo: true, logprobs: 0 });
    expect(one.choices).toHaveLength(1);
    expect(one.choices[0]?.text).toBe(
      `<|begin_of_text|>${prompts[0]}${texts.choices[0]?.text ?? ""}`,
    );
    expect(one.choices[0]?.logprobs?.tokens?.slice(0, 2)).toEqual(["<|begin_of_text|>", "What"]);
    expect(one.choices[0]?.logprobs?.token_logprobs?.[0]).toBeNull();
  });

  test("LangChain's LLM class sends its prompts as a list, and gets an answer for each", async () => {
    const llm = new LangChainLlm({
      model: "demo",
      temperature: 0,
      maxTokens: 8,
      apiKey: "none",
      configuration: { baseURL: `${url}/v1` },
    });
    const { generations, llmOutput } = await llm.generate(prompts);
    const alone = await complete(prompts);
    expect(generations.map(([one]) => one?.text)).toEqual(alone.choices.map(({ text }) => text));
    expect(llmOutput).toMatchObject({ tokenUsage: { totalTokens: alone.usage?.total_tokens } });
  });
});

describe("limits", () => {
  let server: FakeServer;
  let client: OpenAI;
  beforeAll(async () => {
    server = await serveFakeEngine("A red circle.", { maxNumSeqs: 4 });
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  });
  beforeEach(() => {
    server.engine.answer = { text: "A red circle." };
    server.engine.requests.length = 0;
  });
  afterAll(async () => await server[Symbol.asyncDispose]());

  test("a hundred prompts are answered in their order, a few at a time", async () => {
    const prompt = Array.from({ length: 100 }, (_, number) => `${number} is`);
    const { choices } = await client.completions.create({ model: "fake", prompt, echo: true });
    expect(choices.map(({ text }) => text)).toEqual(prompt.map((one) => `${one}A red circle.`));
  });

  test("whoever hangs up ends all of them", async () => {
    server.engine.answer = { text: "x".repeat(2_000), tokenDelayMs: 5 };
    const prompt = Array.from({ length: 20 }, () => "It is");
    const stream = await client.completions.create({
      model: "fake",
      prompt,
      max_tokens: 2_000,
      stream: true,
    });
    for await (const { choices } of stream) if (choices[0]?.index === 3) break;
    for (let tries = 0; tries < 400 && server.engine.numRunning > 0; tries++) await sleep(25);
    expect(server.engine.numRunning).toBe(0);
    expect(server.engine.requests.length).toBeLessThan(20);
  });

  test("what is wrong with one of them says which, and none is answered", async () => {
    const failing = client.completions.create({
      model: "fake",
      prompt: ["It is", "x".repeat(5_000)],
    });
    await expect(failing).rejects.toMatchObject({
      status: 400,
      code: "context_length_exceeded",
      message: expect.stringMatching(/"prompt\[1\]": The prompt has 5,0\d\d tokens/),
    });
    for (let tries = 0; tries < 400 && server.engine.numRunning > 0; tries++) await sleep(25);
    expect(server.engine.numRunning).toBe(0);
  });

  const ids = (id: number): number[] => [1, id];
  test.each([
    { fields: { prompt: Array(129).fill("x") }, param: "prompt", says: /at most 128 items/ },
    { fields: { prompt: [] }, param: "prompt", says: /at least 1/ },
    { fields: { prompt: [[]] }, param: "prompt[0]", says: /at least 1/ },
    {
      fields: { prompt: Array(20).fill("x"), n: 20 },
      param: "prompt",
      says: /20 prompts with "n" 20 are 400 answers; one request takes at most 256/,
    },
    {
      fields: { prompt: Array(20).fill("x"), best_of: 32 },
      param: "prompt",
      says: /"best_of" 32 are 640 answers/,
    },
    {
      fields: { prompt: ["x", "y"], images: ["aGk="] },
      param: "images",
      says: /belong to one prompt, and "prompt" has 2/,
    },
    { fields: { prompt: ids(264) }, param: "prompt", says: /names the token 264.*0 to 263/ },
    {
      fields: { prompt: [ids(5), ids(99_999)] },
      param: "prompt[1]",
      says: /"prompt\[1\]" names the token 99999/,
    },
    { fields: { prompt: ids(-1) }, param: "prompt[1]", says: /at least 0/ },
    { fields: { prompt: ids(1.5) }, param: "prompt[1]", says: /whole number/ },
    { fields: { prompt: ["x", 5] }, param: "prompt[1]", says: /text/ },
    { fields: { prompt: ids(256) }, param: undefined, says: /1 <\|image\|> marker and 0 pictures/ },
  ])("$says", async ({ fields, param, says }) => {
    const failing = client.completions.create({ model: "fake", ...fields } as never);
    await expect(failing).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(says),
      ...(param !== undefined && { param }),
    });
    expect(server.engine.requests).toHaveLength(0);
  });

  test("token ids are as many as a context holds, beyond what other lists may be", async () => {
    const failing = client.completions.create({
      model: "fake",
      prompt: Array.from({ length: 20_000 }, () => 5),
    });
    await expect(failing).rejects.toMatchObject({ code: "context_length_exceeded" });
  });
});
