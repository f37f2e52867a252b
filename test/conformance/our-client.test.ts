/** Our own client against our own server, and in a bundle for browsers. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ApiError, AtalayaClient } from "@atalaya/client";
import { build } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { packageRoot } from "../../src/config/package.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let client: AtalayaClient;

beforeAll(async () => {
  server = await serveFakeEngine("");
  client = new AtalayaClient({ endpoint: `${server.url}/` });
});
beforeEach(() => {
  server.engine.answer = { text: "A red circle." };
});
afterAll(async () => await server[Symbol.asyncDispose]());

const chat = { model: "fake", messages: [{ role: "user" as const, content: "What is it?" }] };

async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}

describe("answers", () => {
  test("of a conversation, whole and as they come", async () => {
    const whole = await client.chat(chat);
    expect(whole.choices[0]?.message.content).toBe("A red circle.");
    const chunks = await collect(client.streamChat(chat));
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    expect(text).toBe("A red circle.");
  });

  test("of a prompt, whole and as they come", async () => {
    const body = { model: "fake", prompt: "It is", max_tokens: 5 };
    expect((await client.complete(body)).choices[0]?.text).toBe("A red");
    expect((await collect(client.streamCompletion(body))).join("")).toBe("A red");
  });

  test("as responses, continued, listed and deleted", async () => {
    const first = await client.responses.create({ model: "fake", input: "What is it?" });
    const events = await collect(
      client.responses.stream({
        model: "fake",
        input: "And now?",
        previous_response_id: first.id,
      }),
    );
    const last = events.at(-1);
    expect(last).toMatchObject({ type: "response.completed", response: { status: "completed" } });
    expect(await collect(client.responses.inputItems(first.id))).toMatchObject([{ role: "user" }]);
    expect((await client.responses.get(first.id)).status).toBe("completed");
    await expect(client.responses.cancel(first.id)).rejects.toMatchObject({ status: 400 });
    expect(await client.responses.delete(first.id)).toMatchObject({ deleted: true });
  });

  test("that are calls of functions, and what comes of them", async () => {
    const tools = [
      { type: "function", function: { name: "find", parameters: { type: "object" } } },
    ];
    server.engine.nextAnswers.push({ text: '{"name": "find", "parameters": {"what": "red"}}' });
    const answer = await client.chat({ ...chat, tools });
    const message = answer.choices[0]?.message;
    const [call] = message?.tool_calls ?? [];
    if (message === undefined || call === undefined) throw new Error("no call");
    expect(call.function).toEqual({ name: "find", arguments: '{"what": "red"}' });
    server.engine.nextAnswers.push({ text: "There." });
    const messages = [
      ...chat.messages,
      message,
      { role: "tool" as const, tool_call_id: call.id, content: "left" },
    ];
    const chunks = await collect(client.streamChat({ ...chat, messages, tools }));
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("There.");
    server.engine.nextAnswers.push({ text: '{"name": "find", "parameters": {}}' });
    const response = await client.responses.create({
      model: "fake",
      input: "Find it.",
      tools: [{ type: "function", name: "find" }],
    });
    expect(response.output).toMatchObject([{ type: "function_call", name: "find" }]);
  });

  test("stop when the loop is left", async () => {
    server.engine.answer = { text: "x".repeat(1_000), tokenDelayMs: 10 };
    for await (const event of client.responses.stream({ model: "fake", input: "x" })) {
      if (event.type === "response.output_text.delta") break;
    }
    for (let wait = 0; server.engine.numRunning > 0 && wait < 200; wait++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(server.engine.numRunning).toBe(0);
  });

  test("that break off are an error in both forms of streams", async () => {
    server.engine.answer = { text: "A red circle.", failAfter: 5, tokenDelayMs: 5 };
    await expect(collect(client.streamChat(chat))).rejects.toMatchObject({ code: "worker_failed" });
    const asking = collect(client.responses.stream({ model: "fake", input: "x" }));
    await expect(asking).rejects.toMatchObject({ code: "worker_failed" });
  });
});

test("files and batches, from the upload to the answers", async () => {
  const line = { custom_id: "a", method: "POST", url: "/v1/chat/completions", body: chat };
  const file = await client.files.upload(new Blob([JSON.stringify(line)]), {
    purpose: "batch",
    filename: "in.jsonl",
    expiresAfterSeconds: 3_600,
  });
  expect(await client.files.get(file.id)).toEqual(file);
  const { id } = await client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
  });
  const states = await collect(client.batches.follow(id, { everyMs: 10 }));
  const last = states.at(-1);
  expect(last?.status).toBe("completed");
  const output = await client.files.content(last?.output_file_id ?? "");
  expect(await output.text()).toContain("A red circle.");
  expect((await collect(client.batches.list())).map((batch) => batch.id)).toContain(id);
  expect((await collect(client.files.list({ purpose: "batch" }))).map((one) => one.id)).toEqual([
    file.id,
  ]);
  await client.files.delete(file.id);
  await expect(client.files.get(file.id)).rejects.toBeInstanceOf(ApiError);
});

test("what is refused has a code, a status and a field; what is not there is unreachable", async () => {
  await expect(client.chat({ ...chat, temperature: 9 })).rejects.toMatchObject({
    status: 400,
    code: "invalid_request",
    param: "temperature",
  });
  await expect(client.moderate({ input: "x" })).rejects.toMatchObject({ code: "model_not_found" });
  const nobody = new AtalayaClient({ endpoint: "http://127.0.0.1:1" });
  await expect(nobody.health()).rejects.toMatchObject({ code: "unreachable", status: 0 });
  expect(await client.health()).toMatchObject({ status: "ok" });
});

test("a key goes along as a bearer token", async () => {
  let sent: string | null = null;
  const keyed = new AtalayaClient({
    endpoint: server.url,
    apiKey: "k-1",
    fetch: async (input, init) => {
      sent = new Headers(init?.headers).get("authorization");
      return await fetch(input, init);
    },
  });
  await keyed.health();
  expect(sent).toBe("Bearer k-1");
});

test("a bundle for browsers is small, and asks for nothing that only Node has", async () => {
  const { outputFiles, errors, warnings } = await build({
    entryPoints: [join(packageRoot(), "packages/client/dist/index.js")],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    logLevel: "silent",
  });
  expect([...errors, ...warnings]).toEqual([]);
  const [bundle] = outputFiles;
  expect(bundle?.text).not.toMatch(/node:|\brequire\(|\bprocess\.|\bBuffer\b/);
  expect(bundle?.contents.length).toBeLessThan(16_000);
  // And it works: with nothing but fetch and what streams are made of.
  const url = `data:text/javascript,${encodeURIComponent(bundle?.text ?? "")}`;
  const module: { AtalayaClient: typeof AtalayaClient } = await import(url);
  const bundled = new module.AtalayaClient({ endpoint: server.url });
  expect(await collect(bundled.streamChat(chat))).not.toHaveLength(0);
});

const run = promisify(execFile);

test.each([
  { example: "ask.mjs", args: ["demo/pictures/first.png"], says: /^A red circle\.\n$/ },
  { example: "batch.mjs", args: [], says: /completed: 3 of 3 done, 0 failed\nquestion-0: A red/ },
  {
    example: "tools.mjs",
    args: [],
    says: /^get_time \{"zone": "Asia\/Tokyo"\}: .+\nA red circle\.\n$/,
  },
])("the example $example runs as it stands", async ({ example, args, says }) => {
  if (example === "tools.mjs") {
    const text = '{"name": "get_time", "parameters": {"zone": "Asia/Tokyo"}}';
    server.engine.nextAnswers.push({ text }, { text: "A red circle." });
  }
  const file = join("packages/client/examples", example);
  const { stdout } = await run(process.execPath, [file, server.url, "fake", ...args], {
    cwd: packageRoot(),
  });
  expect(stdout).toMatch(says);
});
