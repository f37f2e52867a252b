/** OpenAI's own client against `POST /v1/responses` and what is kept of it. */
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { APIError, NotFoundError } from "openai";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PlatformError } from "../../src/base/errors.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let client: OpenAI;
let picture: string;

beforeAll(async () => {
  server = await serveFakeEngine("");
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused", maxRetries: 0 });
  const bytes = await sharp({ create: { width: 30, height: 20, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  picture = `data:image/png;base64,${bytes.toString("base64")}`;
});
beforeEach(() => {
  server.engine.answer = { text: "A red circle." };
  server.engine.requests.length = 0;
});
afterAll(async () => await server[Symbol.asyncDispose]());

const question = { model: "fake", input: "What is it?" };

const numPromptTokens = (): number => server.engine.requests.at(-1)?.prompt.tokenIds.length ?? 0;

describe("a response", () => {
  test("comes whole, with its usage, its settings and its receipt", async () => {
    const response = await client.responses.create({
      ...question,
      instructions: "Be brief.",
      metadata: { ticket: "7" },
      temperature: 0.5,
      max_output_tokens: 100,
    });
    expect(response).toMatchObject({
      object: "response",
      status: "completed",
      output_text: "A red circle.",
      output: [{ type: "message", role: "assistant", status: "completed" }],
      instructions: "Be brief.",
      metadata: { ticket: "7" },
      temperature: 0.5,
      max_output_tokens: 100,
      error: null,
      incomplete_details: null,
      usage: { output_tokens: 13, output_tokens_details: { reasoning_tokens: 0 } },
      atalaya: { profile: "ref", images: [], dropped_turns: 0 },
    });
    expect(response.id).toMatch(/^resp_/);
    expect(response.usage?.total_tokens).toBe((response.usage?.input_tokens ?? 0) + 13);
  });

  test("comes as events, in their order and numbered, and adds up to the same", async () => {
    const stream = await client.responses.create({ ...question, stream: true });
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events.map(({ sequence_number: number }) => number)).toEqual(
      events.map((_, index) => index),
    );
    const types = events.map(({ type }) => type);
    expect(types.filter((type, index) => type !== types[index - 1])).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    const deltas = events.flatMap((event) =>
      event.type === "response.output_text.delta" ? [event.delta] : [],
    );
    expect(deltas.join("")).toBe("A red circle.");
    const last = events.at(-1);
    expect(last).toMatchObject({
      response: { status: "completed", output: [{ content: [{ text: "A red circle." }] }] },
    });
  });

  test("is followed by the client's own helper", async () => {
    const final = await client.responses.stream(question).finalResponse();
    expect(final.output_text).toBe("A red circle.");
  });

  test("sees a picture and says so", async () => {
    const response = await client.responses.create({
      model: "fake",
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: "What is it?" },
            { type: "input_image", image_url: picture, detail: "auto" },
          ],
        },
      ],
    });
    expect(response).toMatchObject({
      usage: { input_tokens_details: { image_tokens: 17 } },
      atalaya: {
        images: [{ seen: true, width: 30, height: 20 }],
        prompt_changes: ["pictures-hoisted"],
      },
    });
    expect(server.engine.requests[0]?.prompt.pictures).toHaveLength(1);
  });

  test("that is cut short is incomplete, and tells why", async () => {
    const cut = { ...question, max_output_tokens: 5 };
    const expected = {
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [{ status: "incomplete", content: [{ text: "A red" }] }],
    };
    expect(await client.responses.create(cut)).toMatchObject(expected);
    const types: string[] = [];
    for await (const event of await client.responses.create({ ...cut, stream: true })) {
      types.push(event.type);
    }
    expect(types.at(-1)).toBe("response.incomplete");
  });

  test("has log-probabilities when they are included", async () => {
    const response = await client.responses.create({
      ...question,
      include: ["message.output_text.logprobs"],
      top_logprobs: 1,
      max_output_tokens: 1,
    });
    expect(response.output[0]).toMatchObject({
      content: [
        {
          logprobs: [
            {
              token: "A",
              logprob: -0.25,
              bytes: [65],
              top_logprobs: [{ token: "A", logprob: -0.25, bytes: [65] }],
            },
          ],
        },
      ],
    });
  });

  test("lists what nothing read", async () => {
    const { response } = await client.responses
      .create({ ...question, user: "u", safety_identifier: "s" })
      .withResponse();
    expect(response.headers.get("x-ignored-fields")).toBe("safety_identifier");
  });
});

describe("what was said before", () => {
  test.each([true, undefined])("is continued when store is %s", async (store) => {
    const first = await client.responses.create({ ...question, store: store ?? null });
    const alone = numPromptTokens();
    const second = await client.responses.create({
      model: "fake",
      input: "And now?",
      previous_response_id: first.id,
    });
    expect(second.previous_response_id).toBe(first.id);
    expect(numPromptTokens()).toBeGreaterThan(alone + "A red circle.".length);
    const whole = await client.responses.create({
      model: "fake",
      input: [
        { role: "user", content: "What is it?" },
        { role: "assistant", content: "A red circle." },
        { role: "user", content: "And now?" },
      ],
    });
    expect(whole.usage?.input_tokens).toBe(second.usage?.input_tokens);
  });

  test("does not bring its instructions along", async () => {
    const first = await client.responses.create({ ...question, instructions: "x".repeat(200) });
    await client.responses.create({ ...question, previous_response_id: first.id });
    expect(numPromptTokens()).toBeLessThan(200);
  });

  test("is referred to by its item", async () => {
    const first = await client.responses.create(question);
    const id = first.output[0]?.type === "message" ? first.output[0].id : "";
    await client.responses.create({
      model: "fake",
      input: [
        { role: "user", content: "What is it?" },
        { type: "item_reference", id },
        { role: "user", content: "And now?" },
      ],
    });
    const referred = numPromptTokens();
    await client.responses.create({
      model: "fake",
      input: "And now?",
      previous_response_id: first.id,
    });
    expect(numPromptTokens()).toBe(referred);
    const unknown = client.responses.create({
      model: "fake",
      input: [{ type: "item_reference", id: "msg_none" }],
    });
    await expect(unknown).rejects.toBeInstanceOf(NotFoundError);
  });

  test("is asked for, listed page by page, and deleted", async () => {
    const made = await client.responses.create({
      model: "fake",
      input: [
        { role: "user", content: "One" },
        { role: "assistant", content: "Two" },
        { role: "user", content: "Three" },
      ],
    });
    expect(await client.responses.retrieve(made.id)).toMatchObject({
      id: made.id,
      status: "completed",
      output: made.output,
    });
    const page = await client.responses.inputItems.list(made.id, { limit: 2, order: "asc" });
    expect(page.data).toMatchObject([
      { role: "user", content: [{ type: "input_text", text: "One" }] },
      { role: "assistant", content: [{ type: "output_text", text: "Two" }] },
    ]);
    expect(page.has_more).toBe(true);
    const rest = await client.responses.inputItems.list(made.id, {
      order: "asc",
      after: page.data.at(-1)?.id ?? "",
    });
    expect(rest.data).toMatchObject([{ content: [{ text: "Three" }] }]);
    await client.responses.delete(made.id);
    await expect(client.responses.retrieve(made.id)).rejects.toBeInstanceOf(NotFoundError);
    const again = client.responses.create({ ...question, previous_response_id: made.id });
    await expect(again).rejects.toMatchObject({ status: 404, param: "previous_response_id" });
  });

  test("is gone when it was not to be stored", async () => {
    const made = await client.responses.create({ ...question, store: false });
    await expect(client.responses.retrieve(made.id)).rejects.toMatchObject({
      status: 404,
      code: "not_found",
    });
  });
});

describe("a conversation that is too long", () => {
  const input = [
    { role: "user" as const, content: "a".repeat(3_000) },
    { role: "assistant" as const, content: "b".repeat(3_000) },
    { role: "user" as const, content: "c".repeat(100) },
  ];

  test("is refused, or loses its oldest turns when that is wished", async () => {
    const whole = client.responses.create({ model: "fake", input });
    await expect(whole).rejects.toMatchObject({ status: 400, code: "context_length_exceeded" });
    const cut = await client.responses.create({ model: "fake", input, truncation: "auto" });
    expect(cut).toMatchObject({ status: "completed", atalaya: { dropped_turns: 1 } });
    const text = String.fromCharCode(
      ...(server.engine.requests.at(-1)?.prompt.tokenIds.map(Number) ?? []),
    );
    expect(text.length).toBeGreaterThan(3_000);
  });
});

describe("in the background", () => {
  test("a response is asked for until it is there", async () => {
    server.engine.answer = { text: "A red circle.", tokenDelayMs: 5 };
    const made = await client.responses.create({ ...question, background: true });
    expect(made).toMatchObject({ status: "queued", background: true, output: [] });
    for (let wait = 0; wait < 500; wait++) {
      const now = await client.responses.retrieve(made.id);
      if (now.status === "completed") {
        expect(now.output_text).toBe("A red circle.");
        return;
      }
      await sleep(10);
    }
    throw new Error("it never completed");
  });

  test("a response is cancelled, and its work ends", async () => {
    server.engine.answer = { text: "x".repeat(1_000), tokenDelayMs: 10 };
    const made = await client.responses.create({ ...question, background: true });
    while (server.engine.numRunning === 0) await sleep(5);
    expect((await client.responses.cancel(made.id)).status).toBe("cancelled");
    for (let wait = 0; server.engine.numRunning > 0 && wait < 200; wait++) await sleep(10);
    expect(server.engine.numRunning).toBe(0);
    expect((await client.responses.retrieve(made.id)).status).toBe("cancelled");
    await expect(client.responses.cancel(made.id)).rejects.toMatchObject({ status: 400 });
  });

  test("a failure is told when it is asked for", async () => {
    server.engine.answer = { text: "A red circle.", failAfter: 5, tokenDelayMs: 20 };
    const made = await client.responses.create({ ...question, background: true });
    for (let wait = 0; wait < 500; wait++) {
      const now = await client.responses.retrieve(made.id);
      if (now.status === "failed") {
        expect(now.error).toMatchObject({ code: "worker_failed" });
        return;
      }
      await sleep(10);
    }
    throw new Error("it never failed");
  });
});

describe("is refused by name", () => {
  test.each([
    { fields: { reasoning: { effort: "high" } }, param: "reasoning" },
    { fields: { conversation: "conv_1" }, param: "conversation" },
    { fields: { prompt: { id: "p" } }, param: "prompt" },
    { fields: { service_tier: "flex" }, param: "service_tier" },
    { fields: { input: [{ type: "reasoning", summary: [] }] }, param: "input[0].type = reasoning" },
    { fields: { top_logprobs: 2 }, param: "top_logprobs" },
    { fields: { text: { format: { type: "xml" } } }, param: "text.format.type" },
    { fields: { text: { format: { type: "json_schema" } } }, param: "text.format.schema" },
    {
      fields: { text: { format: { type: "json_schema", name: "s", schema: { not: {} } } } },
      param: "text.format.schema.not",
    },
    { fields: { max_output_tokens: 0 }, param: "max_output_tokens" },
    { fields: { temperature: 3 }, param: "temperature" },
    { fields: { include: ["everything"] }, param: "include[0]" },
    { fields: { input: 7 }, param: "input" },
    { fields: { metadata: { note: "x".repeat(513) } }, param: "metadata.note" },
    { fields: { stream_options: {} }, param: "stream_options" },
    { fields: { background: true, store: false }, param: "background" },
    { fields: { background: true, stream: true }, param: "background" },
    {
      fields: { input: [{ role: "user", content: [{ type: "input_audio", data: "" }] }] },
      param: "input[0].content[0].type",
    },
  ])("$fields", async ({ fields, param }) => {
    const reply = await fetch(`${server.url}/v1/responses`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...question, ...fields }),
    });
    expect(await reply.json()).toMatchObject({ error: { param } });
    expect(reply.status).toBe(400);
    expect(server.engine.requests).toEqual([]);
  });

  test("what asks for nothing is no fault", async () => {
    const nothing = {
      tool_choice: "auto",
      parallel_tool_calls: true,
      text: { format: { type: "text" } },
      reasoning: { effort: null },
      service_tier: "auto",
      background: false,
      truncation: "disabled",
    } as const;
    const made = await client.responses.create({
      ...question,
      ...nothing,
      tools: [],
      include: ["reasoning.encrypted_content"],
    });
    expect(made.status).toBe("completed");
  });
});

describe("a failure", () => {
  test("before the first word has a status, streamed or not", async () => {
    server.engine.answer = {
      text: "",
      failAfter: 0,
      failure: new PlatformError("queue_full", "256 requests are waiting already."),
    };
    for (const stream of [true, false]) {
      await expect(client.responses.create({ ...question, stream })).rejects.toMatchObject({
        status: 429,
        code: "queue_full",
      });
    }
    await expect(client.responses.create({ ...question, model: "nobody" })).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });

  test("in mid-answer ends the stream with the failed response and an error", async () => {
    server.engine.answer = { text: "A red circle.", failAfter: 5, tokenDelayMs: 5 };
    const types: string[] = [];
    let failed: unknown;
    const reading = (async () => {
      for await (const event of await client.responses.create({ ...question, stream: true })) {
        types.push(event.type);
        if (event.type === "response.failed") failed = event.response;
      }
    })();
    await expect(reading).rejects.toBeInstanceOf(APIError);
    await expect(reading).rejects.toMatchObject({ code: "worker_failed" });
    expect(types.at(-1)).toBe("response.failed");
    expect(failed).toMatchObject({ status: "failed", error: { code: "worker_failed" } });
  });

  test("hanging up frees the request, and the response is cancelled", async () => {
    server.engine.answer = { text: "x".repeat(1_000), tokenDelayMs: 10 };
    const stream = await client.responses.create({ ...question, stream: true });
    let id = "";
    for await (const event of stream) {
      if (event.type === "response.created") ({ id } = event.response);
      if (event.type === "response.output_text.delta") break;
    }
    for (let wait = 0; server.engine.numRunning > 0 && wait < 200; wait++) await sleep(10);
    expect(server.engine.numRunning).toBe(0);
    for (let wait = 0; wait < 100; wait++) {
      if ((await client.responses.retrieve(id)).status === "cancelled") return;
      await sleep(10);
    }
    throw new Error("it was never cancelled");
  });
});
