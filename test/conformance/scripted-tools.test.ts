/** What becomes of what a model writes when it may call functions: the official client, a model that says what it is told. */
import { existsSync } from "node:fs";
import OpenAI from "openai";
import type { RunnableToolFunctionWithParse } from "openai/lib/RunnableFunction";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let client: OpenAI;

beforeAll(async () => {
  server = await serveFakeEngine("");
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused", maxRetries: 0 });
});
beforeEach(() => {
  server.engine.requests.length = 0;
});
afterAll(async () => await server[Symbol.asyncDispose]());

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
} as const;
const ask: OpenAI.Chat.ChatCompletionMessageParam[] = [{ role: "user", content: "How warm?" }];
const rome = '{"name": "get_weather", "parameters": {"city": "Rome"}}';
const called = { name: "get_weather", arguments: '{"city": "Rome"}' };

/** Fields that OpenAI's types do not know, too. */
async function create(fields: object): Promise<OpenAI.Chat.ChatCompletion> {
  return await client.chat.completions.create({
    model: "fake",
    messages: ask,
    tools: [weather],
    ...fields,
  });
}

async function stream(fields: object = {}): Promise<OpenAI.Chat.ChatCompletionChunk.Choice[]> {
  const chunks = await client.chat.completions.create({
    model: "fake",
    messages: ask,
    tools: [weather],
    ...fields,
    stream: true,
  });
  const choices: OpenAI.Chat.ChatCompletionChunk.Choice[] = [];
  for await (const chunk of chunks) choices.push(...chunk.choices);
  return choices;
}

/** What the engine was asked, as text. */
function promptOf(index = 0): string {
  const instance = server.platform.supervisor.get("fake");
  if (instance.state !== "ready") throw new Error("the model is not ready");
  const { vocabulary } = instance.pipeline.tokenizer;
  const ids = server.engine.requests[index]?.prompt.tokenIds ?? [];
  return Buffer.concat(ids.map((id) => vocabulary.bytesOf(id))).toString();
}

describe("an answer", () => {
  test("that is a call is one, with an id of its own", async () => {
    server.engine.answer = { text: `\n${rome}` };
    const { choices, usage } = await create({});
    expect(choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: {
        content: null,
        tool_calls: [{ id: expect.stringMatching(/^call_/), type: "function", function: called }],
      },
    });
    expect(usage?.completion_tokens).toBe(rome.length + 1);
  });

  test("has all the calls that the model writes, or the first where only one is wanted", async () => {
    server.engine.answer = { text: `${rome}; ${rome}` };
    expect((await create({})).choices[0]?.message.tool_calls).toHaveLength(2);
    const one = await create({ parallel_tool_calls: false });
    expect(one.choices[0]?.message.tool_calls).toHaveLength(1);
  });

  test.each([
    ["TO-01: code in place of a call", "__import__('os').system('touch canary')"],
    [
      "TO-01: code as a call",
      `{"name": "__import__('os').system", "parameters": {"a": "touch canary"}}`,
    ],
    ["TO-02: a call that is cut off", rome.slice(0, -3)],
    ["a call of what was not offered", rome.replace("get_weather", "get_time")],
    ["a call with text behind it", `${rome} is what I call.`],
  ])("%s is text, streamed or not", async (_what, text) => {
    server.engine.answer = { text };
    const { choices } = await create({});
    expect(choices[0]).toMatchObject({ message: { content: text }, finish_reason: "stop" });
    expect(choices[0]?.message.tool_calls).toBeUndefined();
    const streamed = await stream();
    expect(streamed.map(({ delta }) => delta.content).join("")).toBe(text);
    expect(streamed.at(-1)?.finish_reason).toBe("stop");
    expect(existsSync("canary")).toBe(false);
  });

  test("of nothing that was offered is text even when it looks like a call", async () => {
    server.engine.answer = { text: rome };
    const { choices } = await create({ tool_choice: "none" });
    expect(choices[0]?.message.content).toBe(rome);
    expect(promptOf()).not.toContain("get_weather");
  });

  test("ends where a stop text begins, in a call too", async () => {
    server.engine.answer = { text: rome };
    const { choices } = await create({ stop: "Rome" });
    expect(choices[0]?.message.content).toBe('{"name": "get_weather", "parameters": {"city": "');
  });

  test("tells the log-probabilities of a call's tokens", async () => {
    server.engine.answer = { text: rome };
    const { choices } = await create({ logprobs: true });
    expect(choices[0]?.message.tool_calls).toHaveLength(1);
    const tokens = choices[0]?.logprobs?.content ?? [];
    expect(tokens.map(({ token }) => token).join("")).toBe(rome);
    const streamed = await stream({ logprobs: true });
    const parts = streamed.flatMap(({ logprobs }) => logprobs?.content ?? []);
    expect(parts.map(({ token }) => token).join("")).toBe(rome);
    expect(streamed.map(({ delta }) => delta.content).join("")).toBe("");
  });

  test("in the form of 2023 where it was asked for in it", async () => {
    server.engine.answer = { text: `${rome}; ${rome}` };
    const older = { tools: undefined, functions: [weather.function] };
    const { choices } = await create(older);
    expect(choices[0]).toMatchObject({
      finish_reason: "function_call",
      message: { content: null, function_call: called },
    });
    expect(choices[0]?.message.tool_calls).toBeUndefined();
    const streamed = await stream(older);
    expect(streamed.at(-1)).toMatchObject({
      finish_reason: "function_call",
      delta: { content: "", function_call: called },
    });
    server.engine.answer = { text: "Warm." };
    server.engine.requests.length = 0;
    await create({
      ...older,
      messages: [
        ...ask,
        { role: "assistant", content: null, function_call: called },
        { role: "function", name: "get_weather", content: "22" },
      ],
    });
    expect(promptOf()).toContain('{"name": "get_weather", "parameters": {"city": "Rome"}}');
    expect(promptOf()).toContain('ipython<|end_header_id|>\n\n"22"');
  });
});

describe("a stream", () => {
  test("TO-09: has a call's arguments whole, and they are the JSON that the whole answer has", async () => {
    server.engine.answer = { text: `${rome}\n${rome}` };
    const choices = await stream();
    expect(choices.map(({ delta }) => delta.content)).toEqual(["", ""]);
    const calls = choices.flatMap(({ delta }) => delta.tool_calls ?? []);
    expect(calls.map(({ index }) => index)).toEqual([0, 1]);
    for (const call of calls) expect(call).toMatchObject({ type: "function", function: called });
    expect(choices.at(-1)).toMatchObject({ finish_reason: "tool_calls" });
    expect(choices.at(-1)?.delta.tool_calls).toHaveLength(2);
  });

  test("has text as it comes, as soon as it cannot be a call", async () => {
    server.engine.answer = { text: "It is warm." };
    const plain = await stream();
    expect(plain.map(({ delta }) => delta.content)).toEqual(["", ...Array.from("It is warm."), ""]);
    server.engine.answer = { text: '{"name": "get_time", "x": 1}' };
    const other = await stream();
    expect(other.map(({ delta }) => delta.content)).toEqual([
      "",
      '{"name": "get_time"',
      ...Array.from(', "x": 1}'),
      "",
    ]);
  });

  test("is gathered by the client's own helper", async () => {
    server.engine.answer = { text: rome };
    const runner = client.chat.completions.stream({
      model: "fake",
      messages: ask,
      tools: [weather],
    });
    const message = await runner.finalMessage();
    expect(message.tool_calls).toMatchObject([{ function: called }]);
  });
});

describe("the client's own loop", () => {
  const tool: RunnableToolFunctionWithParse<{ city: string }> = {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      parse: (text: string): { city: string } => JSON.parse(text) as { city: string },
      function: ({ city }: { city: string }) => `22 in ${city}`,
      description: "Tells how warm it is.",
    },
  };

  test.each([false, true])(
    "runs what was asked for and gives the results back, streaming: %s",
    async (streams) => {
      server.engine.nextAnswers.push({ text: rome }, { text: "It is 22." });
      const body = { model: "fake", messages: ask, tools: [tool] };
      const runner = streams
        ? client.chat.completions.runTools({ ...body, stream: true })
        : client.chat.completions.runTools(body);
      expect(await runner.finalContent()).toBe("It is 22.");
      expect(promptOf(1)).toContain('ipython<|end_header_id|>\n\n"22 in Rome"');
      expect(server.engine.requests).toHaveLength(2);
    },
  );
});

test("what answers are held to", async () => {
  server.engine.answer = { text: rome };
  const grammarOf = async (fields: object): Promise<string | undefined> => {
    server.engine.requests.length = 0;
    await create(fields);
    return server.engine.requests[0]?.sampling.grammar;
  };
  const strict = { ...weather, function: { ...weather.function, strict: true } };
  const picture = {
    role: "user",
    content: [
      {
        type: "image_url",
        image_url: {
          url: "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        },
      },
      { type: "text", text: "Where?" },
    ],
  };
  expect(await grammarOf({})).toBeUndefined();
  expect(await grammarOf({ tool_choice: "none", messages: [picture] })).toBeUndefined();
  for (const fields of [
    { tool_choice: "required" },
    { tool_choice: { type: "function", function: { name: "get_weather" } } },
    { tools: [strict] },
    { messages: [picture] },
    { response_format: { type: "json_object" } },
  ]) {
    expect(await grammarOf(fields)).toContain("get_weather");
  }
});

describe("a request is refused by the field's name", () => {
  const result = { role: "tool", tool_call_id: "c1", content: "22" };
  const call = { id: "c1", type: "function", function: called };
  const named = (name: string) => ({ type: "function", function: { name } });
  test.each([
    ["TO-08: a name of 10 KB", { tools: [named("n".repeat(10_240))] }, "tools[0].function.name"],
    [
      "TO-08: control characters in a name",
      { tools: [named("a\u0007b")] },
      "tools[0].function.name",
    ],
    ["PT-03: structure in a name", { tools: [named("<|eot_id|>")] }, "tools[0].function.name"],
    ["TO-08: one name twice", { tools: [named("a"), named("a")] }, "tools[1].function.name"],
    ["129 tools", { tools: Array.from({ length: 129 }, (_, i) => named(`f${i}`)) }, "tools"],
    ["another type", { tools: [{ type: "web_search" }] }, "tools[0].type = web_search"],
    ["no function", { tools: [{ type: "function" }] }, "tools[0].function"],
    [
      "TO-04: a strict schema that says only itself",
      {
        tools: [
          { type: "function", function: { name: "f", strict: true, parameters: { $ref: "#" } } },
        ],
      },
      "tools[0].function.parameters.$ref",
    ],
    [
      "TO-05: a schema that lies elsewhere",
      {
        tools: [
          {
            type: "function",
            function: { name: "f", parameters: { $ref: "http://127.0.0.1:1/x" } },
          },
        ],
      },
      "tools[0].function.parameters",
    ],
    ["a choice of nothing", { tools: [], tool_choice: "required" }, "tool_choice"],
    ["a choice of what is not there", { tool_choice: named("other") }, "tool_choice"],
    [
      "a choice of another kind",
      { tool_choice: { type: "allowed_tools" } },
      "tool_choice.type = allowed_tools",
    ],
    ["both forms", { functions: [weather.function] }, "functions"],
    ["an older choice of nothing", { function_call: { name: "f" } }, "function_call"],
    ["a result of nothing", { messages: [...ask, result] }, "messages[1].tool_call_id"],
    [
      "a result of another call",
      {
        messages: [
          ...ask,
          { role: "assistant", content: null, tool_calls: [{ ...call, id: "c2" }] },
          result,
        ],
      },
      "messages[2].tool_call_id",
    ],
    [
      "arguments that are no JSON",
      {
        messages: [
          ...ask,
          {
            role: "assistant",
            content: null,
            tool_calls: [{ ...call, function: { ...called, arguments: "{" } }],
          },
        ],
      },
      "messages[1].tool_calls",
    ],
    ["a list of answers", { choices: ["a"] }, "choices"],
    ["a grammar of one's own", { guided_grammar: 'root ::= "x"' }, "guided_grammar"],
  ])("%s", async (_what, fields, param) => {
    await expect(create(fields)).rejects.toMatchObject({ status: 400, param });
    expect(server.engine.requests).toHaveLength(0);
  });

  test("TO-11: 128 tools whose descriptions are longer than the context", async () => {
    const tools = Array.from({ length: 128 }, (_, index) => ({
      type: "function",
      function: { name: `f${index}`, description: "It is of much use. ".repeat(20) },
    }));
    await expect(create({ tools })).rejects.toMatchObject({
      status: 400,
      code: "context_length_exceeded",
    });
  });
});

test("what asks for nothing is no fault, and what nobody reads is listed", async () => {
  server.engine.answer = { text: "Warm." };
  const { response } = await client.chat.completions
    .create({
      model: "fake",
      messages: ask,
      tools: [{ ...weather, function: { ...weather.function, colour: "red" } }],
      tool_choice: "auto",
      parallel_tool_calls: true,
    } as never)
    .withResponse();
  expect(response.headers.get("x-ignored-fields")).toBe("tools[].function.colour");
  for (const nothing of [
    { tools: [] },
    { tools: null, tool_choice: "none" },
    { tools: [], tool_choice: "auto", parallel_tool_calls: false },
    { tools: undefined, functions: [], function_call: "none" },
  ]) {
    expect((await create(nothing)).choices[0]?.message.content).toBe("Warm.");
  }
});
