/**
 * What clients build on top of forms and functions, with the demo model: typed answers, loops over calls and
 * their results, objects that grow while they are streamed.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOllama } from "@langchain/ollama";
import { ChatOpenAI } from "@langchain/openai";
import {
  generateObject,
  generateText,
  type LanguageModel,
  stepCountIs,
  streamObject,
  tool,
} from "ai";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createLogger } from "../../src/base/logger.ts";
import { demoPictures } from "../../src/config/package.ts";
import { Platform } from "../../src/platform.ts";

globalThis.AI_SDK_LOG_WARNINGS = false;

const Seen = z.object({
  color: z.enum(["red", "green", "blue", "yellow"]).describe("of the largest"),
  shape: z.enum(["circle", "square", "triangle"]),
  count: z.int().min(1).max(9),
});
const picture = readFileSync(join(demoPictures(), "first.png"));
const dataUrl = `data:image/png;base64,${picture.toString("base64")}`;

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

describe("OpenAI's", () => {
  const messages: OpenAI.Chat.ChatCompletionMessageParam[] = [
    {
      role: "user",
      content: [
        { type: "text", text: "What do you see?" },
        { type: "image_url", image_url: { url: dataUrl } },
      ],
    },
  ];

  test("parse gives what its schema says, of chats and of responses", async () => {
    const chat = await client.chat.completions.parse({
      model: "demo",
      messages,
      response_format: zodResponseFormat(Seen, "seen"),
    });
    expect(Seen.parse(chat.choices[0]?.message.parsed)).toBeDefined();
    const response = await client.responses.parse({
      model: "demo",
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: "What do you see?" },
            { type: "input_image", image_url: dataUrl, detail: "auto" },
          ],
        },
      ],
      text: { format: zodTextFormat(Seen, "seen") },
    });
    expect(response.output_parsed).toEqual(chat.choices[0]?.message.parsed);
  });

  test("client is asked again with what was wrong, as libraries for typed answers do", async () => {
    const parameters = z.toJSONSchema(Seen.omit({ count: true }));
    const offered = {
      model: "demo",
      tools: [{ type: "function", function: { name: "seen", parameters } }],
      tool_choice: { type: "function", function: { name: "seen" } },
    } as const satisfies object;
    const first = await client.chat.completions.create({
      ...offered,
      tools: [...offered.tools],
      messages,
    });
    const [made] = first.choices[0]?.message.tool_calls ?? [];
    if (made?.type !== "function") throw new Error("it called nothing");
    const { error } = Seen.safeParse(JSON.parse(made.function.arguments));
    expect(error?.issues[0]?.path).toEqual(["count"]);
    const tools = [
      { type: "function" as const, function: { name: "seen", parameters: z.toJSONSchema(Seen) } },
    ];
    const second = await client.chat.completions.create({
      ...offered,
      tools,
      messages: [
        ...messages,
        { role: "assistant", content: null, tool_calls: [made] },
        { role: "tool", tool_call_id: made.id, content: `Not valid: ${error?.message}` },
      ],
    });
    const [again] = second.choices[0]?.message.tool_calls ?? [];
    if (again?.type !== "function") throw new Error("it called nothing");
    expect(Seen.parse(JSON.parse(again.function.arguments))).toBeDefined();
  });
});

describe("the AI SDK's", () => {
  const models: readonly (readonly [string, () => LanguageModel])[] = [
    [
      "openai-compatible",
      () =>
        createOpenAICompatible({
          name: "atalaya",
          baseURL: `${url}/v1`,
          supportsStructuredOutputs: true,
        })("demo"),
    ],
    ["openai, responses", () => createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" })("demo")],
    ["openai, chat", () => createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" }).chat("demo")],
    ["anthropic", () => createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" })("demo")],
  ];
  const messages = [
    {
      role: "user" as const,
      content: [
        { type: "text" as const, text: "What do you see?" },
        { type: "file" as const, data: picture, mediaType: "image/png" },
      ],
    },
  ];

  test.each(models)("objects, with %s", async (_name, model) => {
    const settings = { model: model(), messages, schema: Seen, temperature: 0, maxRetries: 0 };
    const { object } = await generateObject(settings);
    expect(Seen.parse(object)).toBeDefined();
    const stream = streamObject(settings);
    let numSteps = 0;
    for await (const _ of stream.partialObjectStream) numSteps += 1;
    expect(await stream.object).toEqual(object);
    expect(numSteps).toBeGreaterThan(0);
  });

  test.each(models)("loop over a call and its result, with %s", async (_name, model) => {
    const asked: unknown[] = [];
    const { steps, text } = await generateText({
      model: model(),
      messages,
      temperature: 0,
      maxRetries: 0,
      stopWhen: stepCountIs(2),
      tools: {
        price_of: tool({
          description: "The price of a shape.",
          inputSchema: Seen.pick({ color: true, shape: true }),
          execute: async (input) => {
            asked.push(input);
            return { price: 3 };
          },
        }),
      },
      prepareStep: ({ stepNumber }) => ({
        toolChoice: stepNumber === 0 ? { type: "tool", toolName: "price_of" } : "none",
      }),
    });
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(["tool-calls", "stop"]);
    expect(Seen.pick({ color: true, shape: true }).parse(asked[0])).toBeDefined();
    expect(text).not.toBe("");
  });
});

describe("LangChain's", () => {
  const question = new HumanMessage({
    content: [
      { type: "text", text: "What do you see?" },
      { type: "image_url", image_url: { url: dataUrl } },
    ],
  });
  const openai = (): ChatOpenAI =>
    new ChatOpenAI({
      model: "demo",
      apiKey: "none",
      temperature: 0,
      maxRetries: 0,
      configuration: { baseURL: `${url}/v1` },
    });

  test("structured output, by schema, by function and over Ollama's API", async () => {
    for (const method of ["jsonSchema", "functionCalling"] as const) {
      const model = openai().withStructuredOutput(Seen, { name: "seen", method });
      expect(Seen.parse(await model.invoke([question])), method).toBeDefined();
    }
    const ollama = new ChatOllama({ model: "demo", baseUrl: url, temperature: 0 });
    const model = ollama.withStructuredOutput(Seen, { method: "jsonSchema" });
    expect(Seen.parse(await model.invoke([question]))).toBeDefined();
  });

  test("bound tools, called and answered, streamed too", async () => {
    const offered = {
      type: "function",
      function: { name: "price_of", parameters: z.toJSONSchema(Seen) },
    };
    const model = openai().bindTools([offered], { tool_choice: "price_of" });
    const answer = await model.invoke([question]);
    const [made] = answer.tool_calls ?? [];
    expect(Seen.parse(made?.args)).toBeDefined();
    const result = new ToolMessage({ content: "3", tool_call_id: made?.id ?? "" });
    const next = await openai().invoke([question, answer, result]);
    expect(next.text).not.toBe("");
    let pieces: Awaited<ReturnType<typeof model.invoke>> | undefined;
    for await (const chunk of await model.stream([question])) {
      pieces = pieces === undefined ? chunk : pieces.concat(chunk as never);
    }
    expect(pieces?.tool_calls?.[0]?.args).toEqual(made?.args);
  });
});
