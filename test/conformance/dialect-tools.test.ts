/** Functions that an answer may call, as Anthropic's and Ollama's own clients ask for them. */
import Anthropic from "@anthropic-ai/sdk";
import { Ollama, type Message as OllamaMessage } from "ollama";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let claude: Anthropic;
let ollama: Ollama;
let picture: string;

beforeAll(async () => {
  server = await serveFakeEngine("");
  claude = new Anthropic({ baseURL: server.url, apiKey: "unused", maxRetries: 0 });
  ollama = new Ollama({ host: server.url });
  const red = { create: { width: 30, height: 20, channels: 3, background: "red" } } as const;
  picture = (await sharp(red).png().toBuffer()).toString("base64");
});
const call = '{"name": "weather", "parameters": {"city": "Oslo"}}';
beforeEach(() => {
  server.engine.answer = { text: call };
  server.engine.requests.length = 0;
});
afterAll(async () => await server[Symbol.asyncDispose]());

const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
} as const;

/** What the engine was asked last, as text. */
function promptText(): string {
  const instance = server.platform.supervisor.get("fake");
  if (instance.state !== "ready") throw new Error("the model is not ready");
  const { vocabulary } = instance.pipeline.tokenizer;
  const ids = server.engine.requests.at(-1)?.prompt.tokenIds ?? [];
  return Buffer.concat(ids.map((id) => vocabulary.bytesOf(id))).toString();
}

describe("Anthropic's", () => {
  const tools: Anthropic.Tool[] = [
    {
      name: "weather",
      description: "Tells it.",
      input_schema: { ...parameters, required: ["city"] },
    },
  ];
  const asked: Anthropic.MessageParam[] = [{ role: "user", content: "Weather in Oslo?" }];
  const question = { model: "fake", max_tokens: 100, messages: asked, tools };

  test("answer is a block of the call, and its reason says so", async () => {
    const message = await claude.messages.create(question);
    expect(message).toMatchObject({
      content: [{ type: "tool_use", name: "weather", input: { city: "Oslo" } }],
      stop_reason: "tool_use",
      stop_sequence: null,
    });
    expect(promptText()).toContain("Tells it.");
  });

  test("answer comes as events, whose pieces make the same", async () => {
    const types: string[] = [];
    const stream = claude.messages
      .stream(question)
      .on("streamEvent", ({ type }) => types.push(type));
    expect(await stream.finalMessage()).toMatchObject({
      content: [{ type: "tool_use", name: "weather", input: { city: "Oslo" } }],
      stop_reason: "tool_use",
    });
    expect(types).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });

  test("answer in words is text, as without tools", async () => {
    server.engine.answer = { text: "It rains." };
    const expected = { content: [{ type: "text", text: "It rains." }], stop_reason: "end_turn" };
    expect(await claude.messages.create(question)).toMatchObject(expected);
    expect(await claude.messages.stream(question).finalMessage()).toMatchObject(expected);
    server.engine.answer = { text: "" };
    expect((await claude.messages.stream(question).finalMessage()).content).toEqual([
      { type: "text", text: "" },
    ]);
  });

  test.each([
    [{ type: "any" }, true],
    [{ type: "tool", name: "weather" }, true],
    [{ type: "auto" }, false],
    [{ type: "auto", disable_parallel_tool_use: true }, false],
  ] as const)("choice %j", async (choice, isHeld) => {
    await claude.messages.create({ ...question, tool_choice: choice });
    expect(server.engine.requests[0]?.sampling.grammar !== undefined).toBe(isHeld);
  });

  test("choice none offers nothing", async () => {
    const message = await claude.messages.create({ ...question, tool_choice: { type: "none" } });
    expect(message.content).toMatchObject([{ type: "text", text: call }]);
    expect(promptText()).not.toContain("Tells it.");
  });

  test("results are told, those with pictures and those that failed too", async () => {
    server.engine.answer = { text: "Cold." };
    const use = (id: string): Anthropic.ToolUseBlockParam => ({
      type: "tool_use",
      id,
      name: "weather",
      input: { city: "Oslo" },
    });
    const image: Anthropic.ImageBlockParam = {
      type: "image",
      source: { type: "base64", media_type: "image/png", data: picture },
    };
    await claude.messages.create({
      ...question,
      messages: [
        ...asked,
        { role: "assistant", content: [{ type: "text", text: "Let me see." }, use("a"), use("b")] },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "b", content: "no such city", is_error: true },
            {
              type: "tool_result",
              tool_use_id: "a",
              content: [{ type: "text", text: "minus two" }, image],
            },
            { type: "text", text: "So?" },
          ],
        },
      ],
    });
    const prompt = promptText();
    expect(prompt).toContain("Error: ");
    expect(prompt).toContain("minus two");
    expect(prompt).toMatch(/minus two[\s\S]*<\|image\|>[\s\S]*So\?/);
    expect(server.engine.requests[0]?.prompt.pictures).toMatchObject([{ width: 30 }]);
  });

  test("tokens of tools are counted", async () => {
    const counted = { model: "fake", messages: asked };
    const { input_tokens: plain } = await claude.messages.countTokens(counted);
    const { input_tokens: offered } = await claude.messages.countTokens({ ...counted, tools });
    expect(offered).toBeGreaterThan(plain + 50);
    const { usage } = await claude.messages.create(question);
    expect(usage.input_tokens).toBe(offered);
  });

  const wrong: readonly (readonly [string, object, RegExp])[] = [
    [
      "a tool that runs at Anthropic's",
      { tools: [{ type: "bash_20250124", name: "bash" }] },
      /tools\[0\]\.type = bash_20250124/,
    ],
    [
      "a name of 10 KB",
      { tools: [{ name: "x".repeat(10_240), input_schema: parameters }] },
      /tools\[0\]\.name/,
    ],
    [
      "a name with a line break",
      { tools: [{ name: "a\nb", input_schema: parameters }] },
      /tools\[0\]\.name/,
    ],
    ["two of one name", { tools: [tools[0], tools[0]] }, /tools\[1\]\.name/],
    [
      "a foreign reference",
      { tools: [{ name: "a", input_schema: { $ref: "http://evil.example/" } }] },
      /input_schema/,
    ],
    ["a choice without tools", { tools: [], tool_choice: { type: "any" } }, /tool_choice/],
    ["a choice of none of them", { tool_choice: { type: "tool", name: "other" } }, /tool_choice/],
    ["a choice without a name", { tool_choice: { type: "tool" } }, /tool_choice\.name/],
    [
      "a result of no call",
      {
        messages: [
          { role: "user", content: [{ type: "tool_result", tool_use_id: "x", content: "y" }] },
        ],
      },
      /answers no call/,
    ],
    [
      "a call of the user",
      {
        messages: [
          { role: "user", content: [{ type: "tool_use", id: "x", name: "y", input: {} }] },
        ],
      },
      /stands in an assistant's message alone/,
    ],
    [
      "tools that are larger than the context",
      {
        tools: Array.from({ length: 128 }, (_, at) => ({
          name: `tool-${at}`,
          description: "x".repeat(1_000),
          input_schema: parameters,
        })),
      },
      /takes 4,096/,
    ],
  ];
  test.each(wrong)("%s is refused", async (_what, fields, says) => {
    for (const route of ["messages", "messages/count_tokens"]) {
      // Counting them is what tells that they are too many.
      if (route !== "messages" && String(says).includes("4,096")) continue;
      const reply = await fetch(`${server.url}/v1/${route}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...question, ...fields }),
      });
      const text = await reply.text();
      expect(reply.status, text).toBe(400);
      expect((JSON.parse(text) as { error: { message: string } }).error.message).toMatch(says);
    }
    expect(server.engine.requests).toEqual([]);
  });
});

describe("Ollama's", () => {
  const tools = [
    {
      type: "function",
      function: {
        name: "weather",
        description: "Tells it.",
        parameters: { ...parameters, required: ["city"] },
      },
    },
  ];
  const asked: OllamaMessage[] = [{ role: "user", content: "Weather in Oslo?" }];
  const called = [{ function: { name: "weather", arguments: { city: "Oslo" } } }];

  test("answer has the call with its arguments as an object", async () => {
    const { message, done_reason: reason } = await ollama.chat({
      model: "fake",
      messages: asked,
      tools,
    });
    expect(message).toMatchObject({ role: "assistant", content: "", tool_calls: called });
    expect(reason).toBe("stop");
    expect(promptText()).toContain("Tells it.");
  });

  test("stream has the call in a line in front of the last", async () => {
    const lines = [];
    const stream = await ollama.chat({ model: "fake", messages: asked, tools, stream: true });
    for await (const line of stream) lines.push(line);
    expect(lines.map(({ done }) => done)).toEqual([false, true]);
    expect(lines[0]?.message).toMatchObject({ content: "", tool_calls: called });
    expect(lines[1]?.message.tool_calls).toBeUndefined();
  });

  test("empty list offers nothing", async () => {
    const { message } = await ollama.chat({ model: "fake", messages: asked, tools: [] });
    expect(message).toEqual({ role: "assistant", content: call });
  });

  test("results are those of the open calls of their functions, pictures behind them", async () => {
    server.engine.answer = { text: "Cold." };
    const clock = { function: { name: "clock", arguments: {} } };
    await ollama.chat({
      model: "fake",
      tools,
      messages: [
        ...asked,
        { role: "assistant", content: "", tool_calls: [...called, clock, ...called] },
        { role: "tool", tool_name: "clock", content: "noon" },
        { role: "tool", tool_name: "weather", content: "minus two", images: [picture] },
        { role: "tool", content: "minus three" },
        { role: "user", content: "So?" },
      ],
    });
    expect(promptText()).toMatch(
      /minus two[\s\S]*noon[\s\S]*minus three[\s\S]*<\|image\|>[\s\S]*So\?/,
    );
  });

  test("result of no call is refused", async () => {
    const messages: OllamaMessage[] = [
      ...asked,
      { role: "tool", tool_name: "clock", content: "noon" },
    ];
    await expect(ollama.chat({ model: "fake", messages, tools })).rejects.toThrow(
      /answers no call/,
    );
  });

  test("list of what a model can do has them", async () => {
    expect((await ollama.show({ model: "fake" })).capabilities).toEqual([
      "completion",
      "vision",
      "tools",
    ]);
  });
});

describe("what a model writes is a call of what was offered, or text", () => {
  test.each([
    "__import__('os').system('touch canary')",
    '{"name": "weather", "parameters": {"city": "Os',
    '{"name": "other", "parameters": {}}',
    '<|python_tag|>weather.call(city="Oslo")',
  ])("%s", async (text) => {
    server.engine.answer = { text };
    const messages = [{ role: "user", content: "Weather?" }] as const;
    const tool = { name: "weather", input_schema: parameters };
    const message = await claude.messages.create({
      model: "fake",
      max_tokens: 100,
      messages: [...messages],
      tools: [{ ...tool, input_schema: { ...parameters, required: ["city"] } }],
    });
    expect(message.content).toEqual([{ type: "text", text }]);
    const { message: told } = await ollama.chat({
      model: "fake",
      messages: [...messages],
      tools: [{ type: "function", function: { name: "weather" } }],
    });
    expect(told).toEqual({ role: "assistant", content: text });
  });
});
