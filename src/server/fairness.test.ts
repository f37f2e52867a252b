/** One key cannot starve another (R55): over the whole server, with an engine that says what it is told to. */

import { setTimeout as sleep } from "node:timers/promises";
import type { LightMyRequestResponse } from "fastify";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { fullCounts } from "../../test/support/full-counts.ts";
import { type GuardedServer, guardedServer } from "../../test/support/guarded-server.ts";

/** What a busy machine adds to a time. */
const slackMs = 500;

const servers: GuardedServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

/** Two answers at a time, of twenty tokens and some 40 ms each. */
async function busyServer(options: Parameters<typeof guardedServer>[0] = {}) {
  const server = await guardedServer({ maxNumSeqs: 2, ...options });
  servers.push(server);
  server.engine.answer = { text: "x".repeat(20), tokenDelayMs: 2 };
  return server;
}

const chat = async (
  { app }: GuardedServer,
  key: string,
  more: object = {},
): Promise<LightMyRequestResponse> =>
  await app.inject({
    method: "POST",
    url: "/v1/chat/completions",
    headers: { authorization: `Bearer ${key}`, host: "localhost" },
    payload: { model: "fake", messages: [{ role: "user", content: "hi" }], ...more },
  });

async function metric({ app, adminKey }: GuardedServer, name: string): Promise<number> {
  const { body } = await app.inject({
    url: "/metrics",
    headers: { authorization: `Bearer ${adminKey}`, host: "localhost" },
  });
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(body)?.[1]);
}

async function untilWaiting(server: GuardedServer, atLeast: number): Promise<void> {
  for (let wait = 0; wait < 500; wait++) {
    const instance = server.platform.supervisor.getReady("fake");
    if (server.platform.router.queueOf(instance).numWaiting >= atLeast) return;
    await sleep(10);
  }
  throw new Error("nothing waits");
}

describe("a key that floods", () => {
  test("keeps another's request waiting for a few of its answers, not for all", async () => {
    const server = await busyServer();
    let numDone = 0;
    const flood = Array.from({ length: 200 }, async () => {
      const reply = await chat(server, server.adminKey);
      numDone += 1;
      return reply.statusCode;
    });
    await untilWaiting(server, 100);
    expect(await metric(server, "atalaya_queue_waiting")).toBeGreaterThan(50);
    expect(await metric(server, "atalaya_queue_askers")).toBe(1);
    const before = numDone;
    const other = await chat(server, server.inferenceKey);
    expect(other.statusCode).toBe(200);
    // Those under way, and those that began beside it.
    expect(numDone - before).toBeLessThan(12);
    expect(numDone).toBeLessThan(150);
    expect(new Set(await Promise.all(flood))).toEqual(new Set([200]));
    expect(await metric(server, "atalaya_queue_seconds_count")).toBeGreaterThan(200);
    expect(await metric(server, "atalaya_queue_waiting")).toBe(0);
  });

  test("RL-09: with ten thousand requests at once at most doubles what another waits", {
    timeout: 120_000,
  }, async () => {
    const numRequests = fullCounts ? 10_000 : 300;
    const server = await busyServer({ maxQueuedRequests: numRequests });
    server.engine.answer = { text: "x".repeat(20), tokenDelayMs: 10 };
    const ask = async (): Promise<number> => {
      const startedAt = performance.now();
      expect((await chat(server, server.inferenceKey)).statusCode).toBe(200);
      return performance.now() - startedAt;
    };
    const alone: number[] = [];
    for (let i = 0; i < 5; i++) alone.push(await ask());
    const flood = Array.from({ length: numRequests }, () => chat(server, server.adminKey));
    await untilWaiting(server, numRequests / 2);
    const beside: number[] = [];
    for (let i = 0; i < 5; i++) beside.push(await ask());
    expect(
      server.platform.router.queueOf(server.platform.supervisor.getReady("fake")).numWaiting,
    ).toBeGreaterThan(numRequests / 4);
    // The rest goes quickly.
    server.engine.answer = { text: "x" };
    await Promise.all(flood);
    expect(Math.max(...beside)).toBeLessThan(2 * Math.max(...alone) + slackMs);
  });

  test("gives up its latest when the queue is full, and is told how long that takes (G-14)", async () => {
    const server = await busyServer({ maxQueuedRequests: 20 });
    for (let i = 0; i < 3; i++) await chat(server, server.adminKey);
    const flood = Array.from({ length: 60 }, () => chat(server, server.adminKey));
    await untilWaiting(server, 20);
    expect((await chat(server, server.inferenceKey)).statusCode).toBe(200);
    const replies = await Promise.all(flood);
    const refused = replies.filter(({ statusCode }) => statusCode === 429);
    expect(refused.length).toBeGreaterThan(30);
    for (const reply of refused) {
      expect(reply.json().error).toMatchObject({ code: "queue_full", type: "rate_limit_error" });
      const seconds = Number(reply.headers["retry-after"]);
      expect(seconds).toBeGreaterThanOrEqual(1);
      // Twenty answers of some 50 ms, two at a time.
      expect(seconds).toBeLessThan(10);
    }
    expect(await metric(server, "atalaya_queue_refused_total")).toBe(refused.length);
  });
});

test("several answers of one request count as several", async () => {
  const server = await busyServer({ maxNumSeqs: 4 });
  const many = Array.from({ length: 10 }, () => chat(server, server.adminKey, { n: 8 }));
  await untilWaiting(server, 5);
  expect(server.engine.numRunning).toBeLessThanOrEqual(4 + 2 + 8);
  expect((await chat(server, server.inferenceKey)).statusCode).toBe(200);
  expect((await Promise.all(many)).map(({ statusCode }) => statusCode)).toEqual(
    Array(10).fill(200),
  );
});

describe("every route that asks a model", () => {
  const question = [{ role: "user", content: "hi" }];
  const routes = [
    ["/v1/chat/completions", { model: "fake", messages: question }],
    ["/v1/completions", { model: "fake", prompt: "hi" }],
    ["/v1/responses", { model: "fake", input: "hi" }],
    ["/v1/messages", { model: "fake", max_tokens: 5, messages: question }],
    ["/v1/messages/count_tokens", { model: "fake", messages: question }],
    ["/api/chat", { model: "fake", messages: question, stream: false }],
    ["/api/generate", { model: "fake", prompt: "hi", stream: false }],
  ] as const;

  let server: GuardedServer;
  beforeAll(async () => {
    server = await guardedServer({ answer: "Hello there" });
  });
  afterAll(async () => await server[Symbol.asyncDispose]());

  test.each(routes)("%s refuses a key that is for other models", async (url, payload) => {
    const numAsked = server.engine.requests.length;
    const wish = { name: "narrow", permissions: ["models:read"] as const, models: ["other"] };
    const { secret } = await server.platform.identity.keys.create(wish, "test");
    const headers = { authorization: `Bearer ${secret}`, host: "localhost" };
    const reply = await server.app.inject({ method: "POST", url, headers, payload });
    expect(reply.statusCode, reply.body).toBe(403);
    expect(reply.body).toContain('narrow may not ask \\"fake\\"');
    expect(server.engine.requests).toHaveLength(numAsked);
  });

  test.each(routes.filter(([url]) => !url.endsWith("count_tokens")))(
    "%s counts what the answer takes",
    async (url, payload) => {
      const { key, secret } = await server.platform.identity.keys.create(
        { name: "counted", permissions: ["models:read"] },
        "test",
      );
      const headers = { authorization: `Bearer ${secret}`, host: "localhost" };
      const reply = await server.app.inject({ method: "POST", url, headers, payload });
      expect(reply.statusCode, reply.body).toBe(200);
      const { tokens, requests } = await server.platform.identity.usage.usedToday(key.id);
      expect(tokens).toBeGreaterThan(5);
      expect(requests).toBe(1);
    },
  );
});

test("a key that only asks decides over nobody's model: Ollama's keep_alive is for who may launch", async () => {
  const server = await busyServer();
  const ask = async (key: string, body: object) =>
    await server.app.inject({
      method: "POST",
      url: "/api/chat",
      headers: { authorization: `Bearer ${key}`, host: "localhost" },
      payload: { model: "fake", stream: false, ...body },
    });
  const reply = await ask(server.inferenceKey, {
    messages: [{ role: "user", content: "hi" }],
    keep_alive: 0,
  });
  expect(reply.headers["x-ignored-fields"]).toContain("keep_alive");
  expect((await ask(server.inferenceKey, { keep_alive: 0 })).json().done_reason).toBe("load");
  expect(server.platform.supervisor.get("fake").state).toBe("ready");
  expect((await ask(server.adminKey, { keep_alive: 0 })).json().done_reason).toBe("unload");
  expect(server.platform.supervisor.find("fake")).toBe(undefined);
});
