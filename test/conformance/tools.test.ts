/** Functions that an answer may call: OpenAI's client, the demo model, a real engine. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { demoPictures } from "../../src/config/package.ts";
import { Platform } from "../../src/platform.ts";

const colors = ["red", "green", "blue", "yellow", "purple", "orange"];
const shapes = ["circle", "square", "triangle"];
const reportShape = {
  type: "function",
  function: {
    name: "report_shape",
    description: "Tells which shape of which color there is.",
    parameters: {
      type: "object",
      properties: { color: { enum: colors }, shape: { enum: shapes } },
      required: ["color", "shape"],
      additionalProperties: false,
    },
  },
} as const;
const countShapes = {
  type: "function",
  function: {
    name: "count_shapes",
    parameters: {
      type: "object",
      properties: { count: { type: "integer", minimum: 1, maximum: 9 } },
      required: ["count"],
    },
  },
} as const;

let platform: Platform;
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
  const url = await platform.listen({ host: "127.0.0.1", port: 0 });
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
}, 120_000);

afterAll(async () => await platform[Symbol.asyncDispose]());

type Message = OpenAI.Chat.ChatCompletionMessageParam;

function shown(picture: string, text: string): Message[] {
  const base64 = readFileSync(join(demoPictures(), picture)).toString("base64");
  const url = `data:image/png;base64,${base64}`;
  return [
    {
      role: "user",
      content: [
        { type: "image_url", image_url: { url } },
        { type: "text", text },
      ],
    },
  ];
}

const asked: Message[] = [{ role: "user", content: "What do you see?" }];

async function ask(
  messages: Message[],
  fields: Partial<OpenAI.Chat.ChatCompletionCreateParamsNonStreaming> & object,
): Promise<OpenAI.Chat.ChatCompletion> {
  return await client.chat.completions.create({
    model: "demo",
    messages,
    max_tokens: 200,
    temperature: 0,
    ...fields,
  });
}

function callsOf(
  { choices }: OpenAI.Chat.ChatCompletion,
  index = 0,
): { name: string; args: unknown }[] {
  return (choices[index]?.message.tool_calls ?? []).flatMap((call) =>
    call.type === "function"
      ? [{ name: call.function.name, args: JSON.parse(call.function.arguments) }]
      : [],
  );
}

const named = { type: "function", function: { name: "report_shape" } } as const;

describe("a picture and a function that must be called", () => {
  // The demo model was never taught JSON: of its pictures these are two that it still gets right.
  test.each([
    ["small.png", "What color is the circle?", { color: "blue", shape: "circle" }],
    ["wide.png", "What do you see?", { color: "green", shape: "triangle" }],
  ])("%s gives the right call", async (picture, question, args) => {
    const answer = await ask(shown(picture, question), {
      tools: [countShapes, reportShape],
      tool_choice: named,
    });
    expect(callsOf(answer)).toEqual([{ name: "report_shape", args }]);
    expect(answer.choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: { role: "assistant", content: null },
    });
    expect(answer.usage?.completion_tokens).toBeGreaterThan(10);
  });

  test("`required` gives one of them, drawn at random too, each answer its own", async () => {
    const answer = await ask(shown("first.png", "What do you see?"), {
      tools: [countShapes, reportShape],
      tool_choice: "required",
      temperature: 2,
      seed: 4,
      n: 3,
    });
    expect(answer.choices).toHaveLength(3);
    const ids = answer.choices.map(({ message }) => message.tool_calls?.[0]?.id);
    expect(new Set(ids).size).toBe(3);
    for (const { index, finish_reason: reason } of answer.choices) {
      expect(reason).toBe("tool_calls");
      const [call, ...others] = callsOf(answer, index);
      expect(others).toEqual([]);
      if (call?.name === "report_shape") {
        expect(call.args).toEqual({
          color: expect.toBeOneOf(colors),
          shape: expect.toBeOneOf(shapes),
        });
      } else {
        expect(call).toEqual({ name: "count_shapes", args: { count: expect.any(Number) } });
      }
    }
  });

  test("`auto` leaves it to the model, which tells what it sees, and ends", async () => {
    const tools = [countShapes, reportShape];
    const answer = await ask(shown("wide.png", "What do you see?"), { tools });
    expect(answer.choices[0]).toMatchObject({
      message: { content: "a large green triangle and a small purple circle" },
      finish_reason: "stop",
    });
    expect(answer.choices[0]?.message).not.toHaveProperty("tool_calls");
    const none = await ask(shown("wide.png", "What do you see?"), { tools, tool_choice: "none" });
    expect(none.choices[0]?.message.content).toBe(answer.choices[0]?.message.content);
  });

  test("a result goes back to the model, and the conversation goes on", async () => {
    const question = shown("wide.png", "What do you see?");
    const tools = [reportShape];
    const answer = await ask(question, { tools, tool_choice: "required" });
    const message = answer.choices[0]?.message;
    const [call] = message?.tool_calls ?? [];
    if (message === undefined || call === undefined) throw new Error("no call");
    const further = await ask(
      [...question, message, { role: "tool", tool_call_id: call.id, content: "noted" }],
      { tools },
    );
    expect(further.choices[0]?.message.content).toBe(
      "a large green triangle and a small purple circle",
    );
  });
});

test("cut short, a call is text, and the answer says that it was cut", async () => {
  const answer = await ask(asked, { tools: [reportShape], tool_choice: named, max_tokens: 12 });
  expect(answer.choices[0]?.message.content).toMatch(/^\{"name": "/);
  expect(answer.choices[0]?.message.tool_calls).toBeUndefined();
  expect(answer.choices[0]?.finish_reason).toBe("length");
});

test("a stream has its calls whole, in the chunk with the finish reason, and nothing before", async () => {
  const stream = await client.chat.completions.create({
    model: "demo",
    messages: shown("wide.png", "What do you see?"),
    tools: [reportShape],
    tool_choice: "required",
    temperature: 0,
    stream: true,
  });
  const choices: OpenAI.Chat.ChatCompletionChunk.Choice[] = [];
  for await (const chunk of stream) choices.push(...chunk.choices);
  expect(choices).toHaveLength(2);
  for (const { delta } of choices) expect(delta.content).toBe("");
  expect(choices[1]).toMatchObject({
    finish_reason: "tool_calls",
    delta: {
      tool_calls: [
        {
          index: 0,
          id: expect.stringMatching(/^call_/),
          type: "function",
          function: { name: "report_shape", arguments: '{"color": "green", "shape": "triangle"}' },
        },
      ],
    },
  });
});
