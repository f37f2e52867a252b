import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PlatformError } from "../../src/base/errors.ts";
import { createLogger } from "../../src/base/logger.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let logged = "";

beforeAll(async () => {
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      logged += String(chunk);
      done();
    },
  });
  server = await serveFakeEngine("", { log: createLogger("info", stream) });
});
afterAll(async () => await server[Symbol.asyncDispose]());

async function ask(body: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "fake", messages: [{ role: "user", content: "hi" }], ...body }),
  });
}

/** Sum of the samples of one name whose labels hold all of `labels`. */
async function sample(name: string, labels: Record<string, string> = {}): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test("an answer is counted, timed and logged, and none of its words are (LG-01, G-20)", async () => {
  server.engine.answer = { text: "a secret", tokenDelayMs: 2 };
  const response = await ask({ messages: [{ role: "user", content: "whisper" }] });
  const { usage } = (await response.json()) as {
    usage: { prompt_tokens: number; completion_tokens: number };
  };
  const model = { model_uid: "fake", engine: "native" };
  expect(await sample("xinference:model_request_total", model)).toBe(1);
  expect(await sample("xinference:input_tokens_total_counter", model)).toBe(usage.prompt_tokens);
  expect(await sample("xinference:output_tokens_total_counter")).toBe(usage.completion_tokens);
  expect(await sample("xinference:time_to_first_token_seconds_count")).toBe(1);
  expect(await sample("atalaya_inter_token_seconds_count")).toBe(usage.completion_tokens - 1);
  expect(await sample("atalaya_inter_token_seconds_sum")).toBeGreaterThan(0.01);
  expect(await sample("atalaya_answers_total", { outcome: "stop" })).toBe(1);
  expect(await sample("xinference:model_serve_count", model)).toBe(0);
  expect(await sample("xinference:model_info", model)).toBe(1);
  expect(await sample("xinference:model_status", { status: "ready" })).toBe(1);
  expect(await sample("atalaya_memory_bytes", { kind: "platform" })).toBeGreaterThan(1e7);

  const line = logged.split("\n").find((text) => text.includes('"msg":"answer"')) ?? "{}";
  expect(JSON.parse(line)).toMatchObject({
    modelUid: "fake",
    outcome: "stop",
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    requestId: response.headers.get("x-request-id"),
  });
  expect(logged).not.toMatch(/secret|whisper/);
});

test("a failure is counted under its code, a client that hangs up under cancelled", async () => {
  server.engine.answer = {
    text: "abc",
    failAfter: 0,
    failure: new PlatformError("queue_full", "Full."),
  };
  expect((await ask()).status).toBeGreaterThanOrEqual(400);
  expect(await sample("atalaya_answers_total", { outcome: "queue_full" })).toBe(1);
  expect(await sample("xinference:model_request_errors_total")).toBe(1);

  server.engine.answer = { text: "a".repeat(500), tokenDelayMs: 5 };
  const stream = await ask({ stream: true });
  await stream.body?.cancel();
  for (let wait = 0; wait < 100 && server.engine.numRunning > 0; wait++) await sleep(20);
  await sleep(50);
  expect(await sample("atalaya_answers_total", { outcome: "cancelled" })).toBe(1);
  expect(await sample("xinference:model_request_errors_total")).toBe(1);
  expect(await sample("xinference:model_serve_count")).toBe(0);
});

test("names that clients make up make no series (LG-07)", async () => {
  const numSeries = async (): Promise<number> =>
    (await (await fetch(`${server.url}/metrics`)).text()).split("\n").length;
  await ask({ model: "other-0" });
  await fetch(`${server.url}/v1/models/none-0`);
  await fetch(`${server.url}/nowhere/0`);
  const before = await numSeries();
  for (let i = 1; i <= 50; i++) {
    await ask({ model: `other-${i}` });
    await fetch(`${server.url}/v1/models/none-${i}`);
    await fetch(`${server.url}/nowhere/${i}`);
  }
  expect(await numSeries()).toBe(before);
});

test.each([
  ["a plain word is kept", "my-request.7", "my-request.7"],
  ["what could forge a line is not", 'a"b', undefined],
  ["what is long is not", "x".repeat(65), undefined],
])("a request's own id: %s", async (_, given, kept) => {
  server.engine.answer = { text: "a" };
  const response = await ask({}, { "x-request-id": given });
  const id = response.headers.get("x-request-id");
  if (kept === undefined) expect(id).toMatch(/^req_[0-9a-f]{32}$/);
  else expect(id).toBe(kept);
  await response.text();
});

test("what each replica does stands under its number, and of one that is gone nothing stays", async () => {
  const { supervisor } = server.platform;
  await supervisor.addReplica("fake");
  // Its process is the same, since it is none; who gets which answer is not.
  const before = await sample("xinference:model_request_total", { replica_index: "1" });
  expect(before).toBe(0);
  server.engine.answer = { text: "abcde", tokenDelayMs: 2 };
  for (let turn = 0; turn < 2; turn++) await (await ask()).text();
  const ofSecond = { model_uid: "fake", replica_index: "1", format: "pytorch" };
  expect(await sample("xinference:model_request_total", ofSecond)).toBe(1);
  expect(await sample("xinference:output_tokens_total_counter", ofSecond)).toBe(5);
  expect(await sample("atalaya_inter_token_seconds_count", ofSecond)).toBe(4);
  expect(await sample("xinference:generate_tokens_per_s", ofSecond)).toBeGreaterThan(1);
  expect(await sample("xinference:time_to_first_token_ms", ofSecond)).toBeGreaterThan(0);
  expect(await sample("atalaya_replicas", { state: "ready" })).toBe(2);
  const running = server.engine.numRunning;
  expect(await sample("atalaya_running", { replica_index: "1" })).toBe(running);
  expect(await sample("atalaya_memory_bytes", { kind: "worker", replica_index: "1" })).toBe(0);

  await supervisor.removeReplica("fake", 1);
  expect(await sample("atalaya_replicas")).toBe(1);
  const text = await (await fetch(`${server.url}/metrics`)).text();
  expect(text).not.toMatch(/^atalaya_(running|memory_bytes)\{.*replica_index="1"/m);
});

test("both caches tell what was looked for and what was there", async () => {
  const of = async (cache: string): Promise<readonly [number, number]> => [
    await sample("atalaya_cache_queries_total", { cache }),
    await sample("atalaya_cache_hits_total", { cache }),
  ];
  const [queries, hits] = await of("kv");
  server.engine.answer = { text: "a", reused: 3 };
  const { usage } = (await (await ask()).json()) as { usage: { prompt_tokens: number } };
  expect(await of("kv")).toEqual([queries + usage.prompt_tokens, hits + 3]);

  const pixel =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const content = [{ type: "image_url", image_url: { url: pixel } }];
  const [pictures, seen] = await of("pictures");
  const response = await ask({ messages: [{ role: "user", content }] });
  expect(response.status).toBe(200);
  expect(await of("pictures")).toEqual([pictures + 1, seen]);
  expect(await sample("atalaya_picture_encode_seconds_count")).toBe(1);
});

test("a worker that ends by itself is counted", async () => {
  server.platform.metrics.workerEnded({ uid: "fake", replica: 0 });
  expect(await sample("xinference:model_unexpected_termination", { replica_index: "0" })).toBe(1);
});

test("HTTP is counted under Xinference's names too, by the route's pattern (LG-01)", async () => {
  const path = "/v1/models/{uid}";
  const counts = async (): Promise<readonly number[]> => [
    await sample("requests_total_counter", { method: "GET", path }),
    await sample("responses_total_counter", { method: "GET", path }),
    await sample("status_codes_counter", { path, status_code: "200" }),
    await sample("status_codes_counter", { path, status_code: "404" }),
  ];
  const before = await counts();
  await fetch(`${server.url}/v1/models/fake`);
  await fetch(`${server.url}/v1/models/nobody-secret`);
  await fetch(`${server.url}/docs`);
  const after = await counts();
  expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([2, 2, 1, 1]);
  for (const leftOut of ["/metrics", "/docs"]) {
    expect(await sample("requests_total_counter", { path: leftOut })).toBe(0);
  }
  const failed = await sample("exceptions_total_counter", { path: "/v1/chat/completions" });
  const failure = new PlatformError("worker_failed", "It ended.");
  server.engine.answer = { text: "", failAfter: 0, failure };
  expect((await ask()).status).toBe(502);
  expect(await sample("exceptions_total_counter", { path: "/v1/chat/completions" })).toBe(
    failed + 1,
  );
});
