import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { APIError, NotFoundError } from "openai";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PlatformError } from "../../src/base/errors.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let client: OpenAI;

beforeAll(async () => {
  server = await serveFakeEngine("");
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused", maxRetries: 0 });
});
beforeEach(() => {
  server.engine.answer = { text: "A red circle." };
  server.engine.requests.length = 0;
});
afterAll(async () => await server[Symbol.asyncDispose]());

const hello = [{ role: "user" as const, content: "What is it?" }];

async function redPicture(): Promise<string> {
  const bytes = await sharp({
    create: { width: 30, height: 20, channels: 3, background: "red" },
  })
    .png()
    .toBuffer();
  return `data:image/png;base64,${bytes.toString("base64")}`;
}

async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}

describe("the official client", () => {
  test("lists the model and asks about one", async () => {
    const models = await collect(client.models.list());
    expect(models).toMatchObject([{ id: "fake", object: "model", owned_by: "atalaya" }]);
    expect(await client.models.retrieve("fake")).toMatchObject({ id: "fake" });
    await expect(client.models.retrieve("other")).rejects.toBeInstanceOf(NotFoundError);
  });

  test("gets a whole answer with its usage", async () => {
    const answer = await client.chat.completions.create({ model: "fake", messages: hello });
    expect(answer.choices[0]).toMatchObject({
      message: { role: "assistant", content: "A red circle." },
      finish_reason: "stop",
    });
    expect(answer.usage?.completion_tokens).toBe(13);
    expect(answer.usage?.total_tokens).toBe(
      (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
    );
  });

  test("streams text, learns why it ended, and gets the usage when it asks", async () => {
    const stream = await client.chat.completions.create({
      model: "fake",
      messages: hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    const choices = chunks.flatMap((chunk) => chunk.choices);
    expect(choices.map(({ delta }) => delta.content).join("")).toBe("A red circle.");
    expect(choices[0]?.delta.role).toBe("assistant");
    expect(choices.at(-1)?.finish_reason).toBe("stop");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 13 } });
  });

  test("gets no chunk without a choice when it does not ask for the usage", async () => {
    const stream = await client.chat.completions.create({
      model: "fake",
      messages: hello,
      stream: true,
    });
    for (const chunk of await collect(stream)) expect(chunk.choices).toHaveLength(1);
  });

  test("follows a stream with its own helper", async () => {
    const runner = client.chat.completions.stream({ model: "fake", messages: hello });
    expect(await runner.finalContent()).toBe("A red circle.");
  });

  test("shows a picture, and the answer says that it was seen", async () => {
    const answer = await client.chat.completions.create({
      model: "fake",
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "image_url", image_url: { url: await redPicture(), detail: "auto" } },
          ],
        },
      ],
    });
    expect(answer).toMatchObject({
      atalaya: { images: [{ seen: true, width: 30, height: 20, aspect_ratio_id: 1 }] },
    });
    const [picture] = server.engine.requests[0]?.prompt.pictures ?? [];
    expect(picture).toMatchObject({ width: 30, height: 20 });
    expect([...(picture?.pixels.subarray(0, 3) ?? [])]).toEqual([255, 0, 0]);
  });

  test("learns what was put in order, and which pictures the last turn looks at", async () => {
    const picture = { type: "image_url" as const, image_url: { url: await redPicture() } };
    const text = { type: "text" as const, text: "What is it?" };
    const body = {
      model: "fake",
      messages: [
        { role: "user" as const, content: [text, picture] },
        { role: "assistant" as const, content: "Red." },
        { role: "user" as const, content: [picture, text] },
      ],
      colour: "red",
    };
    const whole = await client.chat.completions.create(body).withResponse();
    expect(whole.data).toMatchObject({
      atalaya: {
        images: [
          { seen: true, seen_by_last_turn: false },
          { seen: true, seen_by_last_turn: true },
        ],
        profile: "ref",
        prompt_changes: ["pictures-hoisted"],
        ignored_fields: ["colour"],
      },
    });
    const streamed = await client.chat.completions.create({ ...body, stream: true }).withResponse();
    for (const { headers } of [whole.response, streamed.response]) {
      expect(headers.get("x-ignored-fields")).toBe("colour");
      expect(headers.get("x-atalaya-profile")).toBe("ref");
      expect(headers.get("x-atalaya-prompt-changes")).toBe("pictures-hoisted");
      expect(headers.get("x-atalaya-pictures-in-view")).toBe("1 of 2");
    }
    const chunks = await collect(streamed.data);
    expect(chunks.at(-1)).toMatchObject({ atalaya: { profile: "ref" } });
  });

  test("gets log-probabilities with the token's text and bytes", async () => {
    const answer = await client.chat.completions.create({
      model: "fake",
      messages: hello,
      logprobs: true,
      top_logprobs: 1,
      max_completion_tokens: 2,
    });
    expect(answer.choices[0]?.finish_reason).toBe("length");
    expect(answer.choices[0]?.logprobs?.content).toEqual([
      {
        token: "A",
        logprob: -0.25,
        bytes: [65],
        top_logprobs: [{ token: "A", logprob: -0.25, bytes: [65] }],
      },
      {
        token: " ",
        logprob: -0.25,
        bytes: [32],
        top_logprobs: [{ token: " ", logprob: -0.25, bytes: [32] }],
      },
    ]);
  });

  test("stops at a stop text, which is not part of the answer", async () => {
    const answer = await client.chat.completions.create({
      model: "fake",
      messages: hello,
      stop: " circle",
    });
    expect(answer.choices[0]).toMatchObject({
      message: { content: "A red" },
      finish_reason: "stop",
    });
  });

  test("completes a bare prompt with pictures at its markers", async () => {
    const body = { images: [await redPicture()] };
    const answer = await client.completions.create({
      model: "fake",
      prompt: "<|image|><|begin_of_text|>It is",
      max_tokens: 5,
      logprobs: 1,
      ...body,
    });
    expect(answer.choices[0]).toMatchObject({
      text: "A red",
      finish_reason: "length",
      logprobs: {
        tokens: ["A", " ", "r", "e", "d"],
        text_offset: [0, 1, 2, 3, 4],
        top_logprobs: [{ A: -0.25 }, { " ": -0.25 }, { r: -0.25 }, { e: -0.25 }, { d: -0.25 }],
      },
    });
    const stream = await client.completions.create({
      model: "fake",
      prompt: "It is",
      max_tokens: 5,
      stream: true,
    });
    const choices = (await collect(stream)).flatMap((chunk) => chunk.choices);
    expect(choices.map(({ text }) => text).join("")).toBe("A red");
    expect(choices.at(-1)?.finish_reason).toBe("length");
  });

  test("reads an error as its own kind, with the field and the code", async () => {
    const request = client.chat.completions.create({
      model: "fake",
      messages: hello,
      best_of: 2,
    } as never);
    await expect(request).rejects.toMatchObject({
      status: 400,
      code: "unsupported_parameter",
      param: "best_of",
      type: "invalid_request_error",
    });
    await expect(
      client.chat.completions.create({ model: "none", messages: hello }),
    ).rejects.toMatchObject({ status: 404, code: "model_not_found" });
  });

  test("learns of an engine's refusal by its status, streaming or not", async () => {
    server.engine.answer = {
      text: "",
      failAfter: 0,
      failure: new PlatformError("queue_full", "256 requests are waiting already."),
    };
    for (const stream of [true, false]) {
      await expect(
        client.chat.completions.create({ model: "fake", messages: hello, stream }),
      ).rejects.toMatchObject({ status: 429, code: "queue_full" });
    }
  });

  test("learns of a failure in mid-answer by a last event", async () => {
    server.engine.answer = { text: "A red circle.", failAfter: 5, tokenDelayMs: 5 };
    const stream = await client.chat.completions.create({
      model: "fake",
      messages: hello,
      stream: true,
    });
    let text = "";
    const reading = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    })();
    await expect(reading).rejects.toBeInstanceOf(APIError);
    await expect(reading).rejects.toMatchObject({ code: "worker_failed" });
    expect(text).toBe("A red");
  });

  test("frees the request when it hangs up", async () => {
    server.engine.answer = { text: "x".repeat(1_000), tokenDelayMs: 10 };
    const stream = await client.chat.completions.create({
      model: "fake",
      messages: hello,
      stream: true,
    });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content === "x") break;
    }
    await freed();
  });

  test("frees the request when it gives up waiting for a whole answer", async () => {
    server.engine.answer = { text: "x".repeat(1_000), tokenDelayMs: 10 };
    const controller = new AbortController();
    const answer = client.chat.completions.create(
      { model: "fake", messages: hello },
      { signal: controller.signal },
    );
    while (server.engine.numRunning === 0) await sleep(5);
    controller.abort();
    await expect(answer).rejects.toThrow();
    await freed();
  });
});

/** Hanging up takes a moment to arrive. */
async function freed(): Promise<void> {
  expect(server.engine.requests).toHaveLength(1);
  for (let wait = 0; server.engine.numRunning > 0 && wait < 200; wait++) await sleep(10);
  expect(server.engine.numRunning).toBe(0);
}
