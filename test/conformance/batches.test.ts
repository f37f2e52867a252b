/** OpenAI's own client sends a file, has it done as a batch, and reads what came of it. */
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { NotFoundError, toFile } from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
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

const line = (id: string, body: object, url = "/v1/chat/completions"): string =>
  JSON.stringify({ custom_id: id, method: "POST", url, body });

const chat = (text: string): object => ({
  model: "fake",
  messages: [{ role: "user", content: text }],
});

async function send(text: string): Promise<OpenAI.FileObject> {
  const file = await toFile(Buffer.from(text), "lines.jsonl");
  return await client.files.create({ file, purpose: "batch" });
}

async function begin(
  text: string,
  endpoint: OpenAI.BatchCreateParams["endpoint"] = "/v1/chat/completions",
): Promise<OpenAI.Batch> {
  const { id } = await send(text);
  return await client.batches.create({
    input_file_id: id,
    endpoint,
    completion_window: "24h",
    metadata: { job: "7" },
  });
}

async function ended(id: string): Promise<OpenAI.Batch> {
  for (let wait = 0; wait < 1_000; wait++) {
    const batch = await client.batches.retrieve(id);
    if (/^(completed|failed|expired|cancelled)$/.test(batch.status)) return batch;
    await sleep(10);
  }
  throw new Error("the batch does not end");
}

async function rowsOf(fileId: string | null | undefined): Promise<Record<string, unknown>[]> {
  if (fileId == null) return [];
  const text = await (await client.files.content(fileId)).text();
  return text
    .trimEnd()
    .split("\n")
    .map((row) => JSON.parse(row) as Record<string, unknown>);
}

describe("a batch", () => {
  test("of chat completions has an answer for each line, and an error for each that is wrong", async () => {
    const made = await begin(
      [
        line("good", chat("What is it?")),
        line("no-model", chat("What is it?")).replace('"fake"', '"nobody"'),
        line("bad-field", { ...chat("What is it?"), temperature: 9 }),
        line("also-good", chat("And this?")),
      ].join("\n"),
    );
    expect(made).toMatchObject({
      object: "batch",
      status: "validating",
      completion_window: "24h",
      metadata: { job: "7" },
      output_file_id: null,
    });
    const batch = await ended(made.id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 4, completed: 2, failed: 2 },
      errors: null,
    });
    expect(await rowsOf(batch.output_file_id)).toMatchObject([
      {
        custom_id: "good",
        error: null,
        response: {
          status_code: 200,
          request_id: expect.stringMatching(/^req_/),
          body: { choices: [{ message: { content: "A red circle." } }] },
        },
      },
      { custom_id: "also-good" },
    ]);
    expect(await rowsOf(batch.error_file_id)).toMatchObject([
      {
        custom_id: "no-model",
        response: { status_code: 404, body: { error: { code: "model_not_found" } } },
      },
      {
        custom_id: "bad-field",
        response: { status_code: 400, body: { error: { param: "temperature" } } },
      },
    ]);
    const output = await client.files.retrieve(batch.output_file_id ?? "");
    expect(output).toMatchObject({ purpose: "batch_output", filename: `${batch.id}_output.jsonl` });
  });

  test.each([
    {
      endpoint: "/v1/responses" as const,
      body: { model: "fake", input: "What is it?" },
      answer: { output: [{ content: [{ text: "A red circle." }] }] },
    },
    {
      endpoint: "/v1/completions" as const,
      body: { model: "fake", prompt: "It is", max_tokens: 50 },
      answer: { choices: [{ text: "A red circle." }] },
    },
  ])("of $endpoint", async ({ endpoint, body, answer }) => {
    const made = await begin(line("a", body, endpoint), endpoint);
    const batch = await ended(made.id);
    expect(await rowsOf(batch.output_file_id)).toMatchObject([{ response: { body: answer } }]);
  });

  test("whose file is broken fails, and says where", async () => {
    const batch = await ended((await begin(`${line("a", chat("x"))}\nnonsense`)).id);
    expect(batch).toMatchObject({
      status: "failed",
      errors: { data: [{ code: "invalid_json_line", line: 2 }] },
    });
    expect(server.engine.requests).toEqual([]);
  });

  test("is cancelled, which ends its work", async () => {
    // An answer that is not cut takes longer than the test may.
    server.engine.answer = { text: "x".repeat(5_000), tokenDelayMs: 10 };
    const made = await begin([1, 2, 3].map((id) => line(`${id}`, chat("x"))).join("\n"));
    while (server.engine.numRunning === 0) await sleep(5);
    expect((await client.batches.cancel(made.id)).status).toBe("cancelling");
    const batch = await ended(made.id);
    expect(batch).toMatchObject({ status: "cancelled", request_counts: { completed: 0 } });
    for (let wait = 0; server.engine.numRunning > 0 && wait < 200; wait++) await sleep(10);
    expect(server.engine.numRunning).toBe(0);
    await expect(client.batches.cancel(made.id)).rejects.toMatchObject({ status: 400 });
  });

  test("leaves room to those who ask meanwhile", async () => {
    server.engine.answer = { text: "x".repeat(20), tokenDelayMs: 10 };
    const lines = Array.from({ length: 500 }, (_, id) => line(`${id}`, chat("x"))).join("\n");
    const made = await begin(lines);
    while (server.engine.numRunning === 0) await sleep(5);
    let most = 0;
    for (let count = 0; count < 5; count++) {
      const startedAt = performance.now();
      await client.chat.completions.create({
        model: "fake",
        messages: [{ role: "user", content: "x" }],
      });
      most = Math.max(most, performance.now() - startedAt);
      // Half of the sixteen slots it is taken to have, beside the one who asks.
      expect(server.engine.numRunning).toBeLessThanOrEqual(9);
    }
    expect(most).toBeLessThan(5_000);
    await client.batches.cancel(made.id);
    await ended(made.id);
  });

  test("is listed page by page, and counted in the metrics", async () => {
    const made = await begin(line("a", chat("x")));
    await ended(made.id);
    const first = await client.batches.list({ limit: 1 });
    expect(first.data.map(({ id }) => id)).toEqual([made.id]);
    const all: string[] = [];
    for await (const { id } of client.batches.list({ limit: 2 })) all.push(id);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(4);
    await expect(client.batches.retrieve("batch_none")).rejects.toBeInstanceOf(NotFoundError);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(/^atalaya_batch_lines_total\{outcome="200"\} [1-9]/m);
    expect(metrics).toMatch(/^atalaya_batches_unfinished 0$/m);
  });
});

describe("files", () => {
  test("are sent, listed, asked about, read and deleted", async () => {
    const made = await client.files.create({
      file: await toFile(Buffer.from("hello"), "../../notes\u0007.txt"),
      purpose: "user_data",
      expires_after: { anchor: "created_at", seconds: 3_600 },
    });
    expect(made).toMatchObject({
      object: "file",
      bytes: 5,
      filename: "notes.txt",
      purpose: "user_data",
      status: "processed",
    });
    expect((made.expires_at ?? 0) - made.created_at).toBe(3_600);
    expect(await client.files.retrieve(made.id)).toEqual(made);
    const listed = await client.files.list({ purpose: "user_data" });
    expect(listed.data).toEqual([made]);
    const content = await client.files.content(made.id);
    expect(await content.text()).toBe("hello");
    expect(content.headers.get("x-content-type-options")).toBe("nosniff");
    expect(content.headers.get("content-disposition")).toMatch(/^attachment/);
    expect(await client.files.delete(made.id)).toMatchObject({ deleted: true });
    await expect(client.files.content(made.id)).rejects.toBeInstanceOf(NotFoundError);
  });

  test.each(["../state.db", "..%2fstate%2fstate.db", "file-..%2f..%2fetc%2fpasswd", "%00"])(
    "have no other names: %s",
    async (name) => {
      for (const path of [`/v1/files/${name}`, `/v1/files/${name}/content`]) {
        const reply = await fetch(`${server.url}${path}`);
        expect([400, 404]).toContain(reply.status);
        expect(await reply.text()).not.toMatch(/root:|SQLite/);
      }
    },
  );

  const upload = async (form: FormData | string, type?: string): Promise<Response> =>
    await fetch(`${server.url}/v1/files`, {
      method: "POST",
      body: form,
      ...(type === undefined ? {} : { headers: { "content-type": type } }),
    });

  function form(fields: Record<string, string | Blob>): FormData {
    const data = new FormData();
    for (const [name, value] of Object.entries(fields)) data.append(name, value);
    return data;
  }

  const file = new Blob(["x"]);

  test.each([
    { why: "no purpose", body: () => form({ file }), param: "purpose" },
    {
      why: "a purpose of OpenAI's",
      body: () => form({ purpose: "fine-tune", file }),
      param: "purpose",
    },
    { why: "no file", body: () => form({ purpose: "batch" }), param: "file" },
    { why: "a file elsewhere", body: () => form({ purpose: "batch", data: file }), param: "file" },
    {
      why: "too many fields",
      body: () =>
        form({ ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, "x"])), file }),
      param: "file",
    },
    {
      why: "an expiry that is too soon",
      body: () => form({ purpose: "batch", "expires_after[seconds]": "5", file }),
      param: "expires_after[seconds]",
    },
  ])("are refused with $why", async ({ body, param }) => {
    const reply = await upload(body());
    expect(await reply.json()).toMatchObject({ error: { param } });
    expect(reply.status).toBe(400);
  });

  test.each([
    { why: "that is cut off", text: '--x\r\ncontent-disposition: form-data; name="fi' },
    { why: "of nothing", text: "" },
  ])("are refused in a form $why", async ({ text }) => {
    const reply = await upload(text, "multipart/form-data; boundary=x");
    expect(reply.status).toBe(400);
  });

  test("are refused as JSON", async () => {
    const reply = await upload("{}", "application/json");
    expect(await reply.json()).toMatchObject({
      error: { message: expect.stringMatching(/Send a form \(multipart\/form-data\)/) },
    });
  });

  test("no other route takes a form", async () => {
    const reply = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      body: form({ file }),
    });
    expect(reply.status).toBe(415);
  });
});
