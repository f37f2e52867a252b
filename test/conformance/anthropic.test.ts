/** Anthropic's own client against everything of its API that we speak. */
import Anthropic, { APIError, NotFoundError, RateLimitError } from "@anthropic-ai/sdk";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PlatformError } from "../../src/base/errors.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let client: Anthropic;
let picture: string;

beforeAll(async () => {
  server = await serveFakeEngine("");
  client = new Anthropic({ baseURL: server.url, apiKey: "unused", maxRetries: 0 });
  const bytes = await sharp({ create: { width: 30, height: 20, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  picture = bytes.toString("base64");
});
beforeEach(() => {
  server.engine.answer = { text: "A red circle." };
  server.engine.requests.length = 0;
});
afterAll(async () => await server[Symbol.asyncDispose]());

const question: Anthropic.MessageCreateParamsNonStreaming = {
  model: "fake",
  max_tokens: 100,
  messages: [{ role: "user", content: "What is it?" }],
};

const post = async (body: object, headers: Record<string, string> = {}): Promise<Response> =>
  await fetch(`${server.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

describe("an answer", () => {
  test("comes whole, with its usage, its receipt and the request's id", async () => {
    const answer = await client.messages.create(question);
    expect(answer).toMatchObject({
      type: "message",
      role: "assistant",
      model: "fake",
      content: [{ type: "text", text: "A red circle." }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { output_tokens: 13 },
      atalaya: { profile: "ref", images: [] },
    });
    expect(answer.id).toMatch(/^msg_/);
    expect(answer._request_id).toMatch(/^req_/);
  });

  test("comes under Xinference's second name too, and so do the models", async () => {
    const second = new Anthropic({
      baseURL: `${server.url}/anthropic`,
      apiKey: "unused",
      maxRetries: 0,
    });
    expect((await second.messages.create(question)).content).toMatchObject([
      { type: "text", text: "A red circle." },
    ]);
    const { messages, model } = question;
    expect((await second.messages.countTokens({ messages, model })).input_tokens).toBeGreaterThan(
      0,
    );
    expect((await second.models.list()).data.map(({ id }) => id)).toEqual(["fake"]);
    const elsewhere = await fetch(`${server.url}/anthropic/v1/messagesx`, { method: "POST" });
    expect(elsewhere.status).toBe(404);
  });

  test("comes as events, in their order, and adds up to the same message", async () => {
    const stream = client.messages.stream(question);
    const types: string[] = [];
    for await (const { type } of stream) if (types.at(-1) !== type) types.push(type);
    expect(types).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    const { id: _, ...streamed } = await stream.finalMessage();
    const { id: __, ...whole } = await client.messages.create(question);
    expect({ ...streamed, atalaya: undefined }).toMatchObject({ ...whole, atalaya: undefined });
    expect(streamed).not.toHaveProperty("atalaya");
  });

  test.each([
    { fields: { max_tokens: 5 }, stop_reason: "max_tokens", stop_sequence: null },
    {
      fields: { stop_sequences: ["?", " circle"] },
      stop_reason: "stop_sequence",
      stop_sequence: " circle",
    },
    { fields: { max_tokens: 8_192 }, stop_reason: "end_turn", stop_sequence: null },
  ])("to $fields ends with $stop_reason", async ({ fields, ...expected }) => {
    expect(await client.messages.create({ ...question, ...fields })).toMatchObject(expected);
    const stream = client.messages.stream({ ...question, ...fields });
    expect(await stream.finalMessage()).toMatchObject(expected);
  });
});

describe("pictures and turns", () => {
  test("a picture behind its question goes in front, system text with it", async () => {
    const source = { type: "base64" as const, media_type: "image/gif" as const, data: picture };
    const answer = await client.messages.create({
      ...question,
      system: [{ type: "text", text: "Be brief." }],
      messages: [
        { role: "user", content: "Hello" },
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "image", source },
          ],
        },
      ],
    });
    expect(answer).toMatchObject({
      atalaya: {
        images: [{ seen: true, seen_by_last_turn: true, width: 30 }],
        prompt_changes: ["system-text-moved", "turns-merged", "pictures-hoisted"],
      },
    });
    const [request] = server.engine.requests;
    expect(request?.prompt.pictures).toHaveLength(1);
  });

  test("tokens are counted as they are charged", async () => {
    const messages: Anthropic.MessageParam[] = [
      {
        role: "user",
        content: [
          { type: "image", source: { type: "base64", media_type: "image/png", data: picture } },
          { type: "text", text: "What is it?" },
        ],
      },
    ];
    const counted = await client.messages.countTokens({ model: "fake", messages });
    const answer = await client.messages.create({ ...question, messages });
    expect(counted.input_tokens).toBe(answer.usage.input_tokens);
    const empty = client.messages.countTokens({ model: "fake", messages: [] });
    await expect(empty).rejects.toMatchObject({ status: 400 });
  });

  test("either key will do, and any version", async () => {
    for (const headers of [
      { "x-api-key": "k", "anthropic-version": "2023-06-01" },
      { authorization: "Bearer k", "anthropic-version": "2026-10-21" },
      {},
    ]) {
      expect((await post(question, headers)).status).toBe(200);
    }
  });

  test("fields that nothing reads are listed", async () => {
    const block = { type: "text", text: "Hi", cache_control: { type: "ephemeral" } };
    const reply = await post({
      ...question,
      metadata: { user_id: "u" },
      system: [block],
      messages: [{ role: "user", content: [block] }],
    });
    expect(reply.headers.get("x-ignored-fields")).toBe(
      "messages[].content[].cache_control, system[].cache_control",
    );
  });
});

describe("what Claude's applications send to every model", () => {
  const thinking = { type: "enabled", budget_tokens: 1_024 } as const;

  test("thinking is taken, and listed: no model here was taught it", async () => {
    const whole = await client.messages
      .create({ ...question, max_tokens: 2_000, thinking })
      .withResponse();
    expect(whole.response.headers.get("x-ignored-fields")).toBe("thinking");
    expect(whole.data).toMatchObject({
      content: [{ type: "text", text: "A red circle." }],
      atalaya: { ignored_fields: ["thinking"] },
    });
    const stream = client.messages.stream({ ...question, max_tokens: 2_000, thinking });
    expect((await stream.finalMessage()).content).toEqual(whole.data.content);
    for (const type of ["disabled", "adaptive"] as const) {
      const reply = await post({ ...question, thinking: { type } });
      expect(reply.headers.get("x-ignored-fields")).toBeNull();
    }
    const counted = await client.messages
      .countTokens({ model: "fake", messages: question.messages, thinking })
      .withResponse();
    expect(counted.response.headers.get("x-ignored-fields")).toBe("thinking");
  });

  test("what another model thought in earlier turns is left out, and listed", async () => {
    const turns = (thoughts: Anthropic.ContentBlockParam[]): Anthropic.MessageParam[] => [
      ...question.messages,
      { role: "assistant", content: [...thoughts, { type: "text", text: "A circle." }] },
      { role: "user", content: "Sure?" },
    ];
    const without = await client.messages.create({ ...question, messages: turns([]) });
    const thoughtful = await client.messages
      .create({
        ...question,
        messages: turns([
          { type: "thinking", thinking: "It is round.", signature: "s" },
          { type: "redacted_thinking", data: "x" },
        ]),
      })
      .withResponse();
    expect(thoughtful.data.usage.input_tokens).toBe(without.usage.input_tokens);
    expect(thoughtful.response.headers.get("x-ignored-fields")).toBe(
      "messages[].content[].thinking, messages[].content[].redacted_thinking",
    );
  });

  const topFive: object = { top_k: 5 };
  test("the beta address and headers, notes, bounds and one call at a time", async () => {
    const answer = await client.beta.messages
      .create({
        ...question,
        betas: ["interleaved-thinking-2025-05-14"],
        system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
        metadata: { user_id: "u" },
        // Not in this client's types any more.
        ...topFive,
        stop_sequences: [" circle"],
        tools: [{ name: "look", input_schema: { type: "object" } }],
        tool_choice: { type: "auto", disable_parallel_tool_use: true },
      })
      .withResponse();
    expect(answer.data).toMatchObject({
      content: [{ type: "text", text: "A red" }],
      stop_reason: "stop_sequence",
      stop_sequence: " circle",
    });
    expect(answer.response.headers.get("x-ignored-fields")).toBe("system[].cache_control");
    expect(server.engine.requests[0]?.sampling.topK).toBe(5);
  });

  test("a document is its text and its pictures, behind its title", async () => {
    const source = { type: "base64" as const, media_type: "image/png" as const, data: picture };
    const shown = await client.messages.create({
      ...question,
      ...withDocument({
        title: "Report",
        context: "Of May",
        citations: { enabled: false },
        source: {
          type: "content",
          content: [
            { type: "text", text: "See:" },
            { type: "image", source },
          ],
        },
      }),
    });
    expect(shown).toMatchObject({ atalaya: { images: [{ seen: true }], ignored_fields: [] } });
    const asText = await client.messages.create({
      ...question,
      ...withDocument({ source: { type: "text", media_type: "text/plain", data: "May was dry." } }),
    });
    const plain = await client.messages.create({
      ...question,
      messages: [{ role: "user", content: "May was dry." }],
    });
    expect(asText.usage.input_tokens).toBe(plain.usage.input_tokens);
  });
});

/** A message that is a document. */
function withDocument(fields: object): { readonly messages: Anthropic.MessageParam[] } {
  const document = { type: "document", ...fields } as Anthropic.DocumentBlockParam;
  return { messages: [{ role: "user", content: [document] }] };
}

describe("is refused in Anthropic's form", () => {
  test.each([
    { why: "a forced tool", fields: { tool_choice: { type: "any" } }, says: /"tool_choice"/ },
    {
      why: "thinking that is none",
      fields: { thinking: { type: "enabled", budget_tokens: "much" } },
      says: /"thinking\.budget_tokens" must be/,
    },
    {
      why: "a thought of the user's",
      fields: { messages: [{ role: "user", content: [{ type: "thinking", thinking: "Hm" }] }] },
      says: /"messages\[0\]\.content\[0\]" is a thinking block/,
    },
    {
      why: "a document of pages",
      fields: withDocument({ source: { type: "base64", media_type: "application/pdf", data: "" } }),
      says: /"messages\[0\]\.content\[0\]" is a document .*"base64".*its pages as pictures/,
    },
    {
      why: "citations",
      fields: withDocument({
        source: { type: "text", media_type: "text/plain", data: "x" },
        citations: { enabled: true },
      }),
      says: /content\[0\]\.citations\.enabled/,
    },
    {
      why: "nine pictures, however deep they are",
      fields: withDocument({
        source: {
          type: "content",
          content: Array(9).fill({ type: "image", source: { type: "url", url: "http://x/" } }),
        },
      }),
      says: /9 pictures; the most is 8/,
    },
    {
      why: "a schema that is none",
      fields: { output_config: { format: { type: "json_schema", schema: { not: {} } } } },
      says: /"output_config\.format\.schema\.not"/,
    },
    { why: "no bound", fields: { max_tokens: undefined }, says: /"max_tokens" is missing/ },
    {
      why: "a high temperature",
      fields: { temperature: 3 },
      says: /"temperature" must be at most 2/,
    },
    {
      why: "an answer that was begun",
      fields: { messages: [...question.messages, { role: "assistant", content: "It" }] },
      says: /does not continue an answer/,
    },
    {
      why: "a tool's result",
      fields: {
        messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "x" }] }],
      },
      says: /answers no call/,
    },
    {
      why: "a picture that is none",
      fields: {
        messages: [
          { role: "user", content: [{ type: "image", source: { type: "base64", data: "?" } }] },
        ],
      },
      says: /"messages\[0\]\.content\[0\]\.source\.data" is not valid base64/,
    },
  ])("$why", async ({ fields, says }) => {
    const reply = await post({ ...question, ...fields });
    expect(reply.status).toBe(400);
    expect(await reply.json()).toMatchObject({
      type: "error",
      error: { type: "invalid_request_error", message: expect.stringMatching(says) },
      request_id: reply.headers.get("request-id"),
    });
    expect(server.engine.requests).toEqual([]);
  });

  test("tools that are none, and what asks for nothing, are no fault", async () => {
    const off = { tools: [], tool_choice: { type: "auto" }, thinking: { type: "disabled" } };
    expect((await post({ ...question, ...off })).status).toBe(200);
  });

  test("an unknown model, a full queue and a failure, each as its own kind", async () => {
    const nobody = client.messages.create({ ...question, model: "nobody" });
    await expect(nobody).rejects.toBeInstanceOf(NotFoundError);
    server.engine.answer = {
      text: "",
      failAfter: 0,
      failure: new PlatformError("queue_full", "256 requests are waiting already."),
    };
    for (const stream of [false, true]) {
      const full = client.messages.create({ ...question, stream });
      await expect(full).rejects.toBeInstanceOf(RateLimitError);
    }
  });

  test("what fails in mid-answer, by a last event", async () => {
    server.engine.answer = { text: "A red circle.", failAfter: 5, tokenDelayMs: 5 };
    let text = "";
    const reading = (async () => {
      for await (const event of client.messages.stream(question)) {
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
          text += event.delta.text;
        }
      }
    })();
    await expect(reading).rejects.toBeInstanceOf(APIError);
    await expect(reading).rejects.toThrow(/The engine's process ended/);
    expect(text).toBe("A red");
  });
});
