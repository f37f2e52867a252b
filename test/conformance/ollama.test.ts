/** Ollama's own client against everything of its API that we speak. */
import { setTimeout as sleep } from "node:timers/promises";
import { Ollama } from "ollama";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let client: Ollama;
let picture: Buffer;

beforeAll(async () => {
  server = await serveFakeEngine("");
  client = new Ollama({ host: server.url });
  picture = await sharp({ create: { width: 30, height: 20, channels: 3, background: "red" } })
    .png()
    .toBuffer();
});
beforeEach(() => {
  server.engine.answer = { text: "A red circle." };
  server.engine.requests.length = 0;
});
afterAll(async () => await server[Symbol.asyncDispose]());

const hello = [{ role: "user", content: "What is it?" }];

const post = async (path: string, body: object): Promise<Response> =>
  await fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

describe("an answer", () => {
  test("comes whole, with counts and durations in nanoseconds", async () => {
    const startedAt = performance.now();
    const answer = await client.chat({ model: "fake", messages: hello });
    const spentNs = (performance.now() - startedAt) * 1e6;
    expect(answer).toMatchObject({
      model: "fake",
      message: { role: "assistant", content: "A red circle." },
      done: true,
      done_reason: "stop",
      eval_count: 13,
      atalaya: { profile: "ref", prompt_changes: [], ignored_fields: [] },
    });
    expect(answer.prompt_eval_count).toBeGreaterThan(0);
    expect(answer.created_at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    const parts = answer.load_duration + answer.prompt_eval_duration + answer.eval_duration;
    expect(Math.abs(parts - answer.total_duration)).toBeLessThan(10);
    expect(answer.total_duration).toBeLessThan(spentNs);
    expect(answer.eval_duration).toBeGreaterThan(0);
  });

  test("comes a line at a time; the last has the reason", async () => {
    const lines = [];
    for await (const line of await client.generate({ model: "fake", prompt: "Hi", stream: true })) {
      lines.push(line);
    }
    expect(lines.map(({ response }) => response).join("")).toBe("A red circle.");
    expect(lines.map(({ done }) => done)).toEqual([...Array(lines.length - 1).fill(false), true]);
    expect(lines.at(-1)).toMatchObject({ done_reason: "stop", eval_count: 13 });
  });

  test("is streamed unless the body says otherwise, as Ollama does it", async () => {
    const reply = await post("/api/generate", { model: "fake", prompt: "Hi" });
    expect(reply.headers.get("content-type")).toBe("application/x-ndjson");
    expect((await reply.text()).trim().split("\n").length).toBe(14);
  });

  test("ends at the bound, at a stop text, or where the context ends", async () => {
    const ask = async (options: object) =>
      await client.generate({ model: "fake", prompt: "Hi", options });
    expect(await ask({ num_predict: 5 })).toMatchObject({
      response: "A red",
      done_reason: "length",
    });
    expect(await ask({ stop: [" circle"] })).toMatchObject({
      response: "A red",
      done_reason: "stop",
    });
    expect(await ask({ num_predict: 1_000_000 })).toMatchObject({ response: "A red circle." });
  });

  test("tells each token's probability when asked", async () => {
    const body = { model: "fake", messages: hello, logprobs: true, top_logprobs: 1 };
    const options = { num_predict: 1 };
    const entry = { token: "A", logprob: -0.25, bytes: [65] };
    expect(
      await (await post("/api/chat", { ...body, options, stream: false })).json(),
    ).toMatchObject({ logprobs: [{ ...entry, top_logprobs: [entry] }] });
  });

  test("lists the options that nothing reads", async () => {
    const options = { num_gpu: 99, num_thread: 4 };
    const reply = await post("/api/chat", { model: "fake", messages: hello, options, user: "me" });
    expect(reply.headers.get("x-ignored-fields")).toBe("user, options.num_gpu, options.num_thread");
    await reply.text();
  });
});

describe("pictures", () => {
  test("come as the client encodes them, and in front of the text", async () => {
    await client.chat({
      model: "fake",
      messages: [{ role: "user", content: "What is it?", images: [picture] }],
    });
    await client.generate({ model: "fake", prompt: "What is it?", images: [picture] });
    for (const { prompt } of server.engine.requests) {
      expect(prompt.pictures).toMatchObject([{ width: 30, height: 20 }]);
    }
    const [chat, generate] = server.engine.requests.map(({ prompt }) => prompt.tokenIds);
    expect(chat).toEqual(generate);
  });

  test.each([
    { form: "a data URL", encode: (bytes: Buffer) => `data:;base64,${bytes.toString("base64")}` },
    { form: "a Buffer as JSON", encode: (bytes: Buffer) => bytes.toJSON() },
    { form: "a list of numbers", encode: (bytes: Buffer) => [...bytes] },
  ])("come as $form, as other clients send them", async ({ encode }) => {
    const images = [encode(picture)];
    const reply = await post("/api/chat", {
      model: "fake",
      messages: [{ role: "user", content: "What is it?", images }],
    });
    expect(reply.status).toBe(200);
    await reply.text();
    expect(server.engine.requests[0]?.prompt.pictures).toMatchObject([{ width: 30 }]);
  });

  test("of more than ten thousand bytes come as numbers too", async () => {
    const noise = await sharp({
      create: {
        width: 90,
        height: 90,
        channels: 3,
        background: "red",
        noise: { type: "gaussian", mean: 128, sigma: 60 },
      },
    })
      .png()
      .toBuffer();
    expect(noise.length).toBeGreaterThan(10_000);
    const images = [noise.toJSON()];
    const reply = await post("/api/generate", { model: "fake", prompt: "What?", images });
    expect(reply.status).toBe(200);
    await reply.text();
  });

  test("that are none are refused by the name of their field", async () => {
    const images = ["x.png"];
    const asking = client.chat({
      model: "fake",
      messages: [{ role: "user", content: "?", images }],
    });
    await expect(asking).rejects.toThrow(/"messages\[0\]\.images\[0\]" is not valid base64/);
  });
});

describe("models", () => {
  const named = { name: "fake:latest", model: "fake:latest" };

  test("are listed, shown, and told to be running", async () => {
    const { models } = await client.list();
    expect(models).toMatchObject([{ ...named, details: { family: "mllama" } }]);
    expect(models[0]?.digest).toMatch(/^[0-9a-f]{64}$/);
    const { models: running } = await client.ps();
    expect(running).toMatchObject([{ ...named, context_length: 4_096, size_vram: 0 }]);
    expect(String(running[0]?.expires_at)).toMatch(/[+-]\d\d:\d\d$/);
    expect(await client.show({ model: "fake" })).toMatchObject({
      capabilities: ["completion", "vision", "tools"],
      details: { families: ["mllama"] },
      model_info: { "general.architecture": "mllama", "mllama.context_length": 4_096 },
    });
  });

  test("have one more name when copied, until that is deleted", async () => {
    await client.copy({ source: "fake", destination: "other" });
    expect((await client.list()).models.map(({ name }) => name)).toEqual([
      "fake:latest",
      "other:latest",
    ]);
    expect((await client.generate({ model: "other", prompt: "Hi" })).response).toBe(
      "A red circle.",
    );
    const taken = client.copy({ source: "fake", destination: "fake" });
    await expect(taken).rejects.toThrow(/There is a model "fake" already/);
    await client.delete({ model: "other" });
    await expect(client.show({ model: "other" })).rejects.toThrow(/No model is called "other"/);
  });

  test("whose files are somebody's are not deleted, with a sentence", async () => {
    await expect(client.delete({ model: "fake" })).rejects.toThrow(/does not delete them/);
  });

  test("that are here are pulled at once; others are not downloaded, with a sentence", async () => {
    expect(await client.pull({ model: "fake" })).toMatchObject({ status: "success" });
    const states = [];
    for await (const state of await client.pull({ model: "fake:latest", stream: true })) {
      states.push(state.status);
    }
    expect(states).toEqual(["success"]);
    await expect(client.pull({ model: "llama3.2-vision" })).rejects.toThrow(
      /"llama3.2-vision" is not running here, and this route does not download models/,
    );
  });

  test("may be named by older clients' word for it", async () => {
    const reply = await post("/api/show", { name: "fake" });
    expect(reply.status).toBe(200);
    expect(await (await post("/api/show", {})).json()).toEqual({
      error: '"model" is missing; it must be the name of a model.',
      code: "invalid_request",
    });
  });

  test("tell a plain version", async () => {
    expect((await client.version()).version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe("keep_alive", () => {
  const names = async (): Promise<string[]> => (await client.ps()).models.map(({ name }) => name);

  test("0 frees the model, which stays listed and comes back when it is asked", async () => {
    const freed = await client.generate({ model: "fake", prompt: "", keep_alive: 0 });
    expect(freed).toMatchObject({ done: true, done_reason: "unload", response: "" });
    expect(await names()).toEqual([]);
    expect((await client.list()).models).toMatchObject([{ name: "fake:latest" }]);
    expect((await client.generate({ model: "fake", prompt: "Hi" })).response).toBe("A red circle.");
    expect(await names()).toEqual(["fake:latest"]);
  });

  test("0 with a question frees it after the answer", async () => {
    const answer = await client.chat({ model: "fake", messages: hello, keep_alive: 0 });
    expect(answer.message.content).toBe("A red circle.");
    for (let wait = 0; (await names()).length > 0 && wait < 1_000; wait++) await sleep(10);
    expect(await names()).toEqual([]);
  });

  test("an empty question loads it, and says until when it stays", async () => {
    const loaded = await client.generate({ model: "fake", prompt: "", keep_alive: "10m" });
    expect(loaded).toMatchObject({ done: true, done_reason: "load" });
    const until = async () => new Date((await client.ps()).models[0]?.expires_at ?? 0).getTime();
    expect((await until()) - Date.now()).toBeGreaterThan(590_000);
    expect((await until()) - Date.now()).toBeLessThan(610_000);
    await client.generate({ model: "fake", prompt: "", keep_alive: -1 });
    expect((await until()) - Date.now()).toBeGreaterThan(1e12);
  });

  test("a moment frees it when the moment has passed without a question", async () => {
    await client.generate({ model: "fake", prompt: "", keep_alive: "30ms" });
    for (let wait = 0; (await names()).length > 0 && wait < 1_000; wait++) await sleep(10);
    expect(await names()).toEqual([]);
  });
});

describe("is refused, as text", () => {
  test.each([
    { why: "no schema", fields: { format: { type: "thing" } }, says: /"format.type" must be/ },
    { why: "a schema too far", fields: { format: { not: {} } }, says: /"format.not"/ },
    { why: "no known form", fields: { format: "xml" }, says: /"format" must be/ },
    { why: "thinking", fields: { think: true }, says: /support "think"/ },
    {
      why: "a tool that is no function",
      fields: { tools: [{ type: "web_search" }] },
      says: /support "tools\[0\]\.type = web_search"/,
    },
    { why: "a larger context", fields: { options: { num_ctx: 5_000 } }, says: /num_ctx" is 5000/ },
    { why: "a strange duration", fields: { keep_alive: "soon" }, says: /"keep_alive" is "soon"/ },
  ])("$why", async ({ fields, says }) => {
    const reply = await post("/api/chat", { model: "fake", messages: hello, ...fields });
    expect(reply.status).toBe(400);
    expect(await reply.json()).toMatchObject({ error: expect.stringMatching(says) });
    // A model that refused may be asked whether it is well, with one token and no text.
    expect(server.engine.requests.filter(({ prompt }) => prompt.tokenIds.length > 1)).toEqual([]);
  });

  test("an empty list of tools is none, and format may be empty", async () => {
    const body = { model: "fake", messages: hello, tools: [], format: "", think: false };
    const reply = await post("/api/chat", { ...body, stream: false, options: {} });
    expect(reply.status).toBe(200);
    expect(reply.headers.get("x-ignored-fields")).toBeNull();
  });

  test("a form reaches the engine", async () => {
    const body = { model: "fake", messages: hello, stream: false };
    await post("/api/chat", { ...body, format: { enum: ["yes"] } });
    expect(server.engine.requests.at(-1)?.sampling.grammar).toContain("yes");
    await post("/api/generate", { model: "fake", prompt: "x", stream: false, format: "json" });
    expect(server.engine.requests.at(-1)?.sampling.grammar).toContain("object");
  });

  test("embedding", async () => {
    const asking = client.embed({ model: "fake", input: "x" });
    await expect(asking).rejects.toThrow(/makes no embeddings/);
    expect((await post("/api/embeddings", { model: "fake", prompt: "x" })).status).toBe(400);
  });

  test("an unknown model, an unknown route, a wrong method, a broken body", async () => {
    await expect(client.chat({ model: "nobody", messages: hello })).rejects.toThrow(
      /No model is called "nobody"/,
    );
    const replies = await Promise.all([
      post("/api/create", {}),
      fetch(`${server.url}/api/chat`),
      fetch(`${server.url}/api/chat`, { method: "POST", body: "{}" }),
      fetch(`${server.url}/api/chat`, {
        method: "POST",
        body: "{",
        headers: { "content-type": "application/json" },
      }),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([404, 405, 415, 400]);
    for (const reply of replies) {
      expect(await reply.json()).toMatchObject({ error: expect.any(String) });
    }
  });

  test("what fails in mid-answer, by a last line", async () => {
    server.engine.answer = { text: "A red circle.", failAfter: 5, tokenDelayMs: 5 };
    let text = "";
    const reading = (async () => {
      const lines = await client.chat({ model: "fake", messages: hello, stream: true });
      for await (const line of lines) text += line.message.content;
    })();
    await expect(reading).rejects.toThrow("The engine's process ended.");
    expect(text).toBe("A red");
  });
});
