/** Functions in `POST /v1/responses`: OpenAI's own client, a model that says what it is told. */
import OpenAI from "openai";
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

const weather: OpenAI.Responses.FunctionTool = {
  type: "function",
  name: "get_weather",
  description: "Tells how warm it is.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  strict: false,
};
const rome = '{"name": "get_weather", "parameters": {"city": "Rome"}}';
const oslo = rome.replace("Rome", "Oslo");

/** Fields that OpenAI's types do not know, too. */
async function create(fields: object): Promise<OpenAI.Responses.Response> {
  return await client.responses.create({
    model: "fake",
    input: "How warm?",
    tools: [weather],
    ...fields,
  });
}

function promptOf(index = 0): string {
  const instance = server.platform.supervisor.get("fake");
  if (instance.state !== "ready") throw new Error("the model is not ready");
  const { vocabulary } = instance.pipeline.tokenizer;
  const ids = server.engine.requests[index]?.prompt.tokenIds ?? [];
  return Buffer.concat(ids.map((id) => vocabulary.bytesOf(id))).toString();
}

function callsIn({
  output,
}: OpenAI.Responses.Response): OpenAI.Responses.ResponseFunctionToolCall[] {
  return output.flatMap((item) => (item.type === "function_call" ? [item] : []));
}

test("an answer that is calls has an item for each, and tells what it was offered", async () => {
  server.engine.answer = { text: `${rome}; ${oslo}` };
  const response = await create({ tool_choice: "auto", parallel_tool_calls: true });
  expect(response).toMatchObject({
    status: "completed",
    output_text: "",
    tools: [weather],
    tool_choice: "auto",
    parallel_tool_calls: true,
    output: [
      {
        type: "function_call",
        id: expect.stringMatching(/^fc_/),
        call_id: expect.stringMatching(/^call_/),
        name: "get_weather",
        arguments: '{"city": "Rome"}',
        status: "completed",
      },
      { type: "function_call", arguments: '{"city": "Oslo"}' },
    ],
  });
  const one = await create({ parallel_tool_calls: false });
  expect(callsIn(one)).toHaveLength(1);
});

test("TO-09: a stream has OpenAI's events, and the arguments add up", async () => {
  server.engine.answer = { text: `${rome}; ${oslo}` };
  const stream = await client.responses.create({
    model: "fake",
    input: "How warm?",
    tools: [weather],
    include: ["message.output_text.logprobs"],
    stream: true,
  });
  const types: string[] = [];
  const written = ["", ""];
  for await (const event of stream) {
    types.push(event.type);
    if (event.type === "response.function_call_arguments.delta") {
      written[event.output_index] += event.delta;
    }
    if (event.type === "response.function_call_arguments.done") {
      expect(event.arguments).toBe(written[event.output_index]);
    }
    if (event.type === "response.completed") {
      expect(callsIn(event.response).map((call) => call.arguments)).toEqual(written);
    }
  }
  const item = [
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
  ];
  expect(types).toEqual([
    "response.created",
    "response.in_progress",
    ...item,
    ...item,
    "response.completed",
  ]);
});

test("TO-02: a call that is cut is text, and the response incomplete", async () => {
  server.engine.answer = { text: rome };
  const response = await create({ max_output_tokens: 20 });
  expect(response).toMatchObject({
    status: "incomplete",
    output: [{ type: "message", content: [{ text: rome.slice(0, 20) }] }],
  });
});

test("a call that ends with the last token that was allowed is complete", async () => {
  server.engine.answer = { text: `${rome}\n\n` };
  const response = await create({ max_output_tokens: rome.length + 1 });
  expect(response).toMatchObject({ status: "completed", output: [{ type: "function_call" }] });
});

test("the client's own helper gathers calls from a stream", async () => {
  server.engine.answer = { text: rome };
  const stream = client.responses.stream({ model: "fake", input: "How warm?", tools: [weather] });
  const final = await stream.finalResponse();
  expect(callsIn(final as OpenAI.Responses.Response)).toMatchObject([
    { name: "get_weather", arguments: '{"city": "Rome"}' },
  ]);
});

describe("outputs go back", () => {
  const withResult = 'ipython<|end_header_id|>\n\n"22"<|eot_id|>';

  test.each([undefined, true])("to a response that is continued, stored: %s", async (store) => {
    server.engine.answer = { text: `${rome}; ${oslo}` };
    const first = await create({ store });
    const calls = callsIn(first);
    server.engine.answer = { text: "It is 22 and 3." };
    server.engine.requests.length = 0;
    const second = await create({
      store,
      previous_response_id: first.id,
      input: [
        { type: "function_call_output", call_id: calls[1]?.call_id, output: "3" },
        { type: "function_call_output", call_id: calls[0]?.call_id, output: "22" },
      ],
    });
    expect(second.output_text).toBe("It is 22 and 3.");
    expect(promptOf()).toContain(`${rome}<|eot_id|><|start_header_id|>${withResult}`);
    expect(promptOf().indexOf('"22"')).toBeLessThan(promptOf().indexOf('"3"'));
    expect(second).toMatchObject({
      atalaya: { prompt_changes: expect.arrayContaining(["tool-calls-split"]) },
    });
    const items = await client.responses.inputItems.list(second.id);
    expect(items.data.map(({ type }) => type)).toEqual([
      "function_call_output",
      "function_call_output",
    ]);
  });

  test("with the whole conversation, in parts, and nothing of it is listed as unread", async () => {
    server.engine.answer = { text: rome };
    const [call] = callsIn(await create({ store: false }));
    if (call === undefined) throw new Error("no call");
    server.engine.answer = { text: "Warm." };
    server.engine.requests.length = 0;
    const { response } = await client.responses
      .create({
        model: "fake",
        tools: [weather],
        input: [
          { role: "user", content: "How warm?" },
          call,
          {
            type: "function_call_output",
            call_id: call.call_id,
            output: [{ type: "input_text", text: "22" }],
          },
        ],
      })
      .withResponse();
    expect(response.headers.get("x-ignored-fields")).toBeNull();
    expect(promptOf()).toContain(withResult);
  });
});

test("what an answer is held to", async () => {
  server.engine.answer = { text: rome };
  for (const fields of [
    { tool_choice: "required" },
    { tool_choice: { type: "function", name: "get_weather" } },
    { tools: [{ ...weather, strict: true }] },
    { text: { format: { type: "json_object" } } },
  ]) {
    server.engine.requests.length = 0;
    await create(fields);
    expect(server.engine.requests[0]?.sampling.grammar).toContain("get_weather");
  }
  server.engine.requests.length = 0;
  await create({ tool_choice: "none" });
  expect(server.engine.requests[0]?.sampling.grammar).toBeUndefined();
  expect(promptOf()).not.toContain("get_weather");
});

describe("what cannot be is refused by its name", () => {
  const call = { type: "function_call", call_id: "c", name: "get_weather", arguments: "{}" };
  const output = { type: "function_call_output", call_id: "c", output: "22" };
  test.each([
    [{ tools: [{ type: "web_search" }] }, "tools[0].type = web_search"],
    [{ tools: [{ type: "function" }] }, "tools[0].name"],
    [{ tools: [weather, weather] }, "tools[1].name"],
    [{ tools: [], tool_choice: "required" }, "tool_choice"],
    [{ tool_choice: { type: "function", name: "other" } }, "tool_choice"],
    [{ tool_choice: { type: "function" } }, "tool_choice.name"],
    [{ tool_choice: { type: "file_search" } }, "tool_choice.type = file_search"],
    [{ input: [output] }, "input[0].call_id"],
    [{ input: [call, { ...output, call_id: "d" }] }, "input[1].call_id"],
    [{ input: [call, output, output] }, "input[2].call_id"],
    [{ input: [{ ...call, arguments: "{" }, output] }, "input[0].arguments"],
    [
      {
        input: [
          call,
          {
            ...output,
            output: [{ type: "input_image", image_url: "a picture" }],
          },
        ],
      },
      "input[1].output[0].image_url",
    ],
    [{ input: [{ type: "custom_tool_call", call_id: "c" }] }, "input[0].type = custom_tool_call"],
    [{ max_tool_calls: 3 }, "max_tool_calls"],
  ])("%j", async (fields, param) => {
    await expect(create(fields)).rejects.toMatchObject({ status: 400, param });
    expect(server.engine.requests).toHaveLength(0);
  });
});
