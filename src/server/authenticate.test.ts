/** Who asks, on every route: the attacks on identity of the security design. */
import { createHmac } from "node:crypto";
import type { InjectOptions } from "fastify";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type GuardedServer, guardedServer, password } from "../../test/support/guarded-server.ts";
import { routesOf } from "../../test/support/routes.ts";
import { needOf } from "./route-permissions.ts";

// Passwords take a third of a second each, and much longer on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let server: GuardedServer;
let routes: readonly { readonly method: string; readonly url: string }[];
beforeAll(async () => {
  server = await guardedServer();
  routes = (await routesOf(server.app)).map((route) => {
    const [method = "", path = ""] = route.split(" ");
    return { method, url: path.replaceAll(/\{(\w+)\}/g, ":$1") };
  });
});
afterAll(async () => await server[Symbol.asyncDispose]());

let lastPeer = 0;
/** From an address that nobody has come from. */
const peer = (): string => `10.0.${Math.floor(++lastPeer / 250)}.${lastPeer % 250}`;

const ask = async (
  key: string | undefined,
  options: InjectOptions & { readonly header?: string } = {},
) => {
  const { header = "authorization", headers = {}, ...rest } = options;
  const value = header === "authorization" ? `Bearer ${key}` : key;
  return await server.app.inject({
    remoteAddress: peer(),
    url: "/v1/models",
    ...rest,
    headers: {
      ...headers,
      ...(value === undefined || key === undefined ? {} : { [header]: value }),
    },
  });
};
const chat = (key: string, more: object = {}): Promise<{ statusCode: number; body: string }> =>
  ask(key, {
    method: "POST",
    url: "/v1/chat/completions",
    payload: { model: "fake", messages: [{ role: "user", content: "hi" }], ...more },
  });
const logInAs = async (username: string, word = password) =>
  await server.app.inject({
    method: "POST",
    url: "/token",
    remoteAddress: peer(),
    payload: { username, password: word },
  });

describe("every route", () => {
  test("says in the table what it needs (AU-01)", () => {
    const missing = routes.filter(({ method, url }) => needOf(method, url) === undefined);
    expect(missing).toEqual([]);
    expect(routes.length).toBeGreaterThan(40);
  });

  test("but the public ones answers 401 without a key and with a wrong one, 403 to a weaker one (AU-01)", async () => {
    const wrong: string[] = [];
    for (const { method, url } of routes) {
      const need = needOf(method, url);
      const path = url.replace(/:\w+|\*/g, "x");
      const options = { method: method as "GET", url: path };
      const [none, bad] = [await ask(undefined, options), await ask("sk-atalaya-no", options)];
      const weak = await ask(server.inferenceKey, options);
      const isPublic = need === "public";
      const mayWeak = ["known", "models:list", "models:read"].includes(need ?? "");
      if (isPublic !== (none.statusCode !== 401)) wrong.push(`${method} ${url} ${none.statusCode}`);
      if (isPublic !== (bad.statusCode !== 401)) wrong.push(`${method} ${url} ${bad.statusCode}`);
      if (!isPublic && mayWeak === [401, 403].includes(weak.statusCode)) {
        wrong.push(`${method} ${url} ${weak.statusCode} for an inference key`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("that is public stands on this short list (AU-01)", () => {
    const open = routes.filter(({ method, url }) => needOf(method, url) === "public");
    expect([...new Set(open.map(({ url }) => url))].toSorted()).toEqual(
      expect.arrayContaining(["/health", "/token", "/v1/cluster/auth"]),
    );
    expect(open.map(({ url }) => url)).not.toContain("/metrics");
    expect(open.length).toBeLessThan(20);
  });

  test.each([
    {
      dialect: "OpenAI's",
      url: "/v1/chat/completions",
      body: { error: { code: "unauthenticated" } },
    },
    {
      dialect: "Anthropic's",
      url: "/v1/messages",
      body: { type: "error", error: { type: "authentication_error" } },
    },
    {
      dialect: "Ollama's",
      url: "/api/chat",
      body: { error: expect.any(String), code: "unauthenticated" },
    },
  ])("refuses in $dialect form", async ({ url, body }) => {
    const reply = await ask("wrong", { method: "POST", url, payload: {} });
    expect(reply.statusCode).toBe(401);
    expect(reply.headers["www-authenticate"]).toBe("Bearer");
    expect(reply.json()).toMatchObject(body);
  });
});

describe("a key", () => {
  test.each(["authorization", "x-api-key", "api-key"])("is taken from %s", async (header) => {
    expect((await ask(server.inferenceKey, { header })).statusCode).toBe(200);
  });

  test("is not taken from the address (AU-18)", async () => {
    const { statusCode } = await ask(undefined, { url: `/v1/models?api_key=${server.adminKey}` });
    expect(statusCode).toBe(401);
  });

  test("counts as it is and no other way (AU-02, AU-04, AU-05)", async () => {
    const key = server.inferenceKey;
    expect((await ask(key)).statusCode).toBe(200);
    const kept = await server.platform.identity.keys.list();
    const changed = `${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`;
    for (const wrong of [
      changed,
      key.toUpperCase(),
      key.slice(0, 17),
      `${key}x`,
      `${key},${server.adminKey}`,
      "",
      "x",
      "' OR 1=1 --",
      `sk-atalaya-${"x".repeat(10_000)}`,
      "\u00e9".repeat(50),
    ]) {
      expect((await ask(wrong)).statusCode, wrong.slice(0, 30)).toBe(401);
    }
    expect((await ask(key)).statusCode).toBe(200);
    expect(await server.platform.identity.keys.list()).toEqual(kept);
  });

  test("beside a different one is not believed", async () => {
    const headers = { "x-api-key": server.inferenceKey };
    expect((await ask(server.adminKey, { headers })).statusCode).toBe(401);
    expect((await ask(server.inferenceKey, { headers })).statusCode).toBe(200);
  });

  test("for questions asks, and does not launch, register, delete or download (AU-19)", async () => {
    expect((await chat(server.inferenceKey)).statusCode).toBe(200);
    for (const [method, url] of [
      ["POST", "/v1/models"],
      ["DELETE", "/v1/models/fake"],
      ["POST", "/v1/model_registrations/LLM"],
      ["DELETE", "/v1/model_registrations/LLM/llama-3.2-vision"],
      ["DELETE", "/v1/cache/models"],
      ["POST", "/api/pull"],
      ["DELETE", "/api/delete"],
      ["POST", "/v1/admin/keys"],
      ["GET", "/metrics"],
    ] as const) {
      const reply = await ask(server.inferenceKey, { method, url, payload: {} });
      expect(reply.statusCode, url).toBe(403);
      expect(reply.json().error.message ?? reply.json().error).toMatch(/^Not enough permissions: /);
    }
  });

  test("that is revoked, disabled or over is worth nothing at the next request (AU-11)", async () => {
    const { keys } = server.platform.identity;
    const make = async (expiresAt?: Date) =>
      await keys.create({ name: "short", permissions: ["models:list"], expiresAt }, "test");
    const revoked = await make();
    expect((await ask(revoked.secret)).statusCode).toBe(200);
    await keys.revoke(revoked.key.id, "test");
    expect((await ask(revoked.secret)).statusCode).toBe(401);

    const off = await make();
    await keys.change(off.key.id, { isEnabled: false }, "test");
    expect((await ask(off.secret)).statusCode).toBe(401);
    expect((await ask((await make(new Date(Date.now() - 1))).secret)).statusCode).toBe(401);
    expect((await ask((await make(new Date(Date.now() + 60_000))).secret)).statusCode).toBe(200);
  });

  test("may be for one model only", async () => {
    const wish = { name: "narrow", permissions: ["models:read"] as const, models: ["other"] };
    const { secret } = await server.platform.identity.keys.create(wish, "test");
    const messages = [{ role: "user", content: "Hi" }];
    for (const [url, payload] of [
      ["/v1/chat/completions", { messages }],
      ["/v1/completions", { prompt: "Hi" }],
      ["/v1/responses", { input: "Hi" }],
      ["/v1/responses", { input: "Hi", background: true }],
      ["/v1/messages", { messages, max_tokens: 5 }],
      ["/v1/messages/count_tokens", { messages }],
      ["/api/chat", { messages }],
      ["/api/generate", { prompt: "Hi" }],
      ["/api/generate", { prompt: "", keep_alive: 0 }],
    ] as const) {
      const body = { model: "fake", ...payload };
      const reply = await ask(secret, { method: "POST", url, payload: body });
      expect(reply.statusCode, `${url}: ${reply.body}`).toBe(403);
    }
    expect(server.platform.supervisor.find("fake")?.state).toBe("ready");
    const permissions = ["models:list"] as const;
    const seeing = await server.platform.identity.keys.create({ ...wish, permissions }, "test");
    for (const url of ["/v1/models", "/v1/models?state=all", "/api/tags", "/api/ps"]) {
      const listed = async (key: string): Promise<unknown[]> => {
        const body = (await ask(key, { url })).json();
        return body.data ?? body.models;
      };
      expect(await listed(seeing.secret), url).toEqual([]);
      expect(await listed(server.inferenceKey), url).toHaveLength(1);
    }
    expect((await ask(seeing.secret, { url: "/v1/models/fake" })).statusCode).toBe(403);
    const show = { method: "POST", url: "/api/show", payload: { model: "fake" } } as const;
    expect((await ask(seeing.secret, show)).statusCode).toBe(403);
    await server.platform.resting.rest("fake");
    expect(await chat(secret)).toMatchObject({ statusCode: 403 });
    expect(server.platform.supervisor.find("fake")).toBeUndefined();
    expect(await chat(server.inferenceKey)).toMatchObject({ statusCode: 200 });
  });

  test("is kept as a hash (LG-04)", async () => {
    const kept = JSON.stringify(await server.platform.identity.keys.list());
    expect(kept).not.toContain(server.inferenceKey.slice(20));
    expect(kept).toContain(server.inferenceKey.slice(0, 17));
  });
});

describe("an answer under way", () => {
  afterEach(() => void vi.useRealTimers());

  test("ends when the key that asked is revoked, and another's goes on (AU-11)", async () => {
    // The server looks every 20 seconds; all other clocks go on.
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    await using busy = await guardedServer({
      answer: { text: "a".repeat(4_000), tokenDelayMs: 10 },
    });
    const url = await busy.platform.listen({ host: "127.0.0.1", port: 0 });
    const { keys } = busy.platform.identity;
    const { key, secret } = await keys.create({ name: "a", permissions: ["models:read"] }, "test");
    const leaving = new AbortController();
    const stream = async (apiKey: string) => {
      const reply = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify({
          model: "fake",
          stream: true,
          messages: [{ role: "user", content: "hi" }],
        }),
        signal: leaving.signal,
      });
      expect(reply.status).toBe(200);
      const reader = reply.body?.getReader();
      await reader?.read();
      return reader;
    };
    const [revoked, other] = [await stream(secret), await stream(busy.inferenceKey)];
    await keys.revoke(key.id, "test");
    await vi.advanceTimersByTimeAsync(20_000);
    let text = "";
    for (;;) {
      const { done = true, value } = (await revoked?.read()) ?? {};
      if (done) break;
      text += Buffer.from(value ?? []).toString();
    }
    expect(text).toContain("The key or login that asked is revoked or has expired.");
    expect((await other?.read())?.done).toBe(false);
    leaving.abort();
  });
});

describe("limits of a key", () => {
  const make = async (allowance: object) =>
    (
      await server.platform.identity.keys.create(
        { name: "limited", permissions: ["models:read"], allowance },
        "test",
      )
    ).secret;

  test("of requests in a minute say when to come again", async () => {
    const secret = await make({ requestsPerMinute: 2 });
    expect((await chat(secret)).statusCode).toBe(200);
    expect((await chat(secret)).statusCode).toBe(200);
    const refused = await ask(secret, { method: "POST", url: "/v1/messages", payload: {} });
    expect(refused.statusCode).toBe(429);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(20);
    expect(refused.json()).toMatchObject({
      error: { type: "rate_limit_error", code: "rate_limited" },
    });
    expect((await chat(server.inferenceKey)).statusCode).toBe(200);
  });

  test("of tokens in a day count prompts and answers", async () => {
    const secret = await make({ tokensPerDay: 10 });
    expect((await chat(secret)).statusCode).toBe(200);
    const refused = await ask(secret, { method: "POST", url: "/v1/chat/completions", payload: {} });
    expect(refused.statusCode).toBe(429);
    expect(refused.json().error.message).toMatch(/has used its 10 tokens of today/);
  });

  const messages = [{ role: "user", content: "What is it?" }];
  test.each([
    { url: "/v1/completions", body: { prompt: "What is it?" } },
    { url: "/v1/responses", body: { input: "What is it?" } },
    { url: "/v1/messages", body: { messages, max_tokens: 5 } },
    { url: "/api/chat", body: { messages, stream: false } },
    { url: "/api/generate", body: { prompt: "What is it?" } },
  ])("of tokens in a day count those of $url too", async ({ url, body }) => {
    const secret = await make({ tokensPerDay: 2 });
    const question = { method: "POST", url, payload: { model: "fake", ...body } } as const;
    const answered = await ask(secret, question);
    expect(answered.statusCode, answered.body).toBe(200);
    const refused = await ask(secret, question);
    expect(refused.statusCode).toBe(429);
    expect(refused.body).toMatch(/has used its 2 tokens of today/);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  });

  test("of requests at one time count what goes on in the background", async () => {
    const secret = await make({ maxConcurrent: 1 });
    server.engine.nextAnswers.push({ text: "a".repeat(2_000), tokenDelayMs: 20 });
    const ask = async (payload: object) =>
      await server.app.inject({
        method: "POST",
        url: "/v1/responses",
        headers: { authorization: `Bearer ${secret}` },
        payload: { model: "fake", input: "hi", ...payload },
      });
    const begun = await ask({ background: true });
    expect(begun.statusCode, begun.body).toBe(200);
    const refused = await ask({ max_output_tokens: 1 });
    expect(refused.statusCode).toBe(429);
    expect(refused.json().error.message).toMatch(/has 1 requests under way, as many as it may/);
    const cancel = {
      method: "POST",
      url: `/v1/responses/${begun.json().id}/cancel`,
      headers: { authorization: `Bearer ${server.adminKey}` },
    } as const;
    expect((await server.app.inject(cancel)).statusCode).toBe(200);
    await expect
      .poll(async () => (await ask({ max_output_tokens: 1 })).statusCode, {
        timeout: 20_000,
        interval: 100,
      })
      .toBe(200);
    server.engine.answer = { text: "Hello" };
  });

  test("of pictures in a day are refused before they are read", async () => {
    const secret = await make({ imagesPerDay: 1 });
    const image = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };
    const messages = [{ role: "user", content: [image, image] }];
    const refused = await chat(secret, { messages });
    expect(refused).toMatchObject({ statusCode: 429 });
    expect(refused.body).toMatch(/may ask about 1 pictures a day, and has 1 left/);
  });
});

describe("limits that are changed", () => {
  test("count from the next request on, and are taken away again", async () => {
    const admin = async (method: "PUT" | "PATCH" | "GET", url: string, payload?: object) =>
      (await ask(server.adminKey, { method, url, ...(payload && { payload }) })).json();
    const { keys, accounts } = server.platform.identity;
    const wish = { name: "changing", permissions: ["models:list", "models:read"] as const };
    const { key, secret } = await keys.create({ ...wish, models: ["other"] }, "test");
    const url = `/v1/admin/keys/${key.id}`;
    expect((await chat(secret)).statusCode).toBe(403);
    const narrow = { models: null, requests_per_minute: 1, tokens_per_day: 1_000 };
    expect(await admin("PUT", url, narrow)).toMatchObject({ ...narrow, images_per_day: null });
    expect((await chat(secret)).statusCode).toBe(200);
    expect((await chat(secret)).statusCode).toBe(429);
    expect(await admin("PUT", url, { requests_per_minute: null, tokens_per_day: 1 })).toMatchObject(
      { requests_per_minute: null, tokens_per_day: 1, used_today: { tokens: expect.any(Number) } },
    );
    expect((await chat(secret)).statusCode).toBe(429);
    const over = { tokens_per_day: null, expires_at: "2020-01-01T00:00:00Z" };
    await admin("PUT", url, over);
    expect((await chat(secret)).statusCode).toBe(401);
    expect(await admin("PUT", url, { expires_at: null })).toMatchObject({ expires_at: null });
    expect((await chat(secret)).statusCode).toBe(200);
    await keys.revoke(key.id, "test");

    await accounts.create({ username: "busy", password, permissions: ["models:read"] }, "test");
    const { access_token: token } = (await logInAs("busy")).json();
    await admin("PATCH", "/v1/admin/users/busy", { images_per_day: 3, max_concurrent: 2 });
    await admin("PATCH", "/v1/admin/users/busy", { max_concurrent: null, requests_per_minute: 1 });
    expect(await admin("GET", "/v1/admin/users")).toContainEqual(
      expect.objectContaining({
        username: "busy",
        images_per_day: 3,
        max_concurrent: null,
        requests_per_minute: 1,
      }),
    );
    // Other limits are no reason to log in again.
    expect((await chat(token)).statusCode).toBe(200);
    expect((await chat(token)).statusCode).toBe(429);
  });

  test("are not lifted, nor run past by a key of its own, by whom they hold", async () => {
    const { keys } = server.platform.identity;
    const permissions = ["keys:manage", "users:manage", "models:read"] as const;
    const wish = { name: "limited manager", permissions, allowance: { tokensPerDay: 5 } };
    const { key, secret } = await keys.create(wish, "test");
    for (const [method, url, payload] of [
      ["PUT", `/v1/admin/keys/${key.id}`, { tokens_per_day: null }],
      ["POST", "/v1/admin/keys", { name: "more", permissions: ["models:read"] }],
      ["POST", "/v1/admin/users", { username: "more", password, permissions: ["models:read"] }],
      ["PATCH", "/v1/admin/users/reset", { password: "taken over now" }],
    ] as const) {
      const refused = await ask(secret, { method, url, payload });
      expect(refused.statusCode, url).toBe(403);
      expect(refused.json().error.message).toMatch(/limited manager is limited/);
    }
    await keys.revoke(key.id, "test");
  });
});

describe("who guesses", () => {
  test("waits after ten wrong keys, and neither a neighbour nor a right key does (AU-12)", async () => {
    const from = peer();
    const guess = async () => await ask("sk-atalaya-wrong", { remoteAddress: from });
    for (let n = 0; n < 10; n++) expect((await guess()).statusCode).toBe(401);
    const refused = await guess();
    expect(refused.statusCode).toBe(429);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect((await ask("sk-atalaya-wrong")).statusCode).toBe(401);
    expect((await ask(server.inferenceKey, { remoteAddress: from })).statusCode).toBe(200);
  });

  test("gains nothing by sending a dozen passwords at once (AU-12)", async () => {
    const from = peer();
    const guess = async (n: number) =>
      await server.app.inject({
        method: "POST",
        url: "/token",
        remoteAddress: from,
        payload: { username: "nobody", password: `guess ${n}` },
      });
    const replies = await Promise.all(Array.from({ length: 13 }, (_, n) => guess(n)));
    const statuses = replies.map(({ statusCode }) => statusCode);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(3);
    expect((await guess(13)).statusCode).toBe(429);
  });

  test("hides behind no header (AU-12)", async () => {
    const from = peer();
    for (let n = 0; n < 11; n++) {
      const headers = { "x-forwarded-for": `192.0.2.${n}` };
      const { statusCode } = await ask("sk-atalaya-wrong", { remoteAddress: from, headers });
      expect(statusCode).toBe(n < 10 ? 401 : 429);
    }
  });
});

describe("an account", () => {
  beforeAll(async () => {
    const { accounts } = server.platform.identity;
    await accounts.create({ username: "root", password, permissions: ["admin"] }, "test");
    await accounts.create(
      { username: "manager", password, permissions: ["users:manage", "keys:manage"] },
      "test",
    );
  });

  test("logs in, asks, and logs out", async () => {
    const { access_token: token } = (await logInAs("root")).json();
    expect((await ask(token)).statusCode).toBe(200);
    expect((await ask(token, { url: "/v1/auth/me" })).json()).toEqual({
      kind: "account",
      name: "root",
      permissions: ["admin"],
      must_change_password: false,
    });
    await ask(token, { method: "POST", url: "/v1/auth/logout", payload: {} });
    expect((await ask(token)).statusCode).toBe(401);
  });

  test("is not told from one that does not exist (AU-22)", async () => {
    const time = async (username: string) => {
      const startedAt = performance.now();
      const reply = await logInAs(username, "not the password");
      return { ms: performance.now() - startedAt, status: reply.statusCode, body: reply.body };
    };
    const [unknown, wrong] = [await time("nobody"), await time("root")];
    expect(wrong.status).toBe(401);
    expect(JSON.parse(wrong.body).error.message).toBe("Incorrect username or password");
    expect({ ...unknown, ms: 0 }).toEqual({ ...wrong, ms: 0 });
    // Both compute a hash; a reply without would come in a few milliseconds.
    expect(Math.min(unknown.ms, wrong.ms)).toBeGreaterThan(50);
  });

  test("is not entered by a token that is altered, unsigned, signed otherwise, or over (AU-06, AU-07)", async () => {
    const { access_token: token } = (await logInAs("root")).json();
    const [head = "", body = "", signature = ""] = (token as string).split(".");
    const encode = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString());
    const signed = (header: object, secret: string, algorithm = "sha256"): string => {
      const text = `${encode(header)}.${encode(claims)}`;
      return `${text}.${createHmac(algorithm, secret).update(text).digest("base64url")}`;
    };
    for (const wrong of [
      `${encode({ alg: "none", typ: "JWT" })}.${body}.`,
      `${encode({ alg: "none", typ: "JWT" })}.${body}.${signature}`,
      signed({ alg: "HS256" }, "another key"),
      signed({ alg: "HS512" }, "another key", "sha512"),
      `${head}.${encode({ ...claims, scopes: ["admin"], sub: "manager" })}.${signature}`,
      `${head}.${encode({ ...claims, exp: claims.exp + 1 })}.${signature}`,
      `${head}.${body}.${signature.slice(0, -2)}`,
      `${head}.${body}`,
      "..",
    ]) {
      expect((await ask(wrong)).statusCode, wrong.slice(0, 20)).toBe(401);
    }
    expect((await ask(token)).statusCode).toBe(200);
  });

  test("whose password is reset is entered by no earlier token (AU-09)", async () => {
    const { accounts } = server.platform.identity;
    await accounts.create({ username: "reset", password, permissions: ["models:list"] }, "test");
    const { access_token: token, refresh_token: refresh } = (await logInAs("reset")).json();
    const payload = { password: "another password" };
    const url = "/v1/admin/users/reset/password";
    expect((await ask(server.adminKey, { method: "PUT", url, payload })).statusCode).toBe(200);
    expect((await ask(token)).statusCode).toBe(401);
    const again = {
      method: "POST",
      url: "/v1/auth/refresh",
      payload: { refresh_token: refresh },
    } as const;
    expect((await ask(undefined, again)).statusCode).toBe(401);
    expect((await logInAs("reset")).statusCode).toBe(401);
    expect((await logInAs("reset", "another password")).statusCode).toBe(200);
  });

  test("whose refresh token comes twice is logged out", async () => {
    const first = (await logInAs("root")).json();
    const refresh = async (token: string) =>
      await ask(undefined, {
        method: "POST",
        url: "/v1/auth/refresh",
        payload: { refresh_token: token },
      });
    const second = (await refresh(first.refresh_token)).json();
    expect((await ask(second.access_token)).statusCode).toBe(200);
    expect((await refresh(first.refresh_token)).statusCode).toBe(401);
    expect((await ask(second.access_token)).statusCode).toBe(401);
    expect((await refresh(second.refresh_token)).statusCode).toBe(401);
    expect(await server.platform.events.list({ subject: "root" })).toContainEqual(
      expect.objectContaining({ type: "refresh-token-reused" }),
    );
  });

  test("that must change its password does nothing else first, and everything at once then", async () => {
    const { accounts } = server.platform.identity;
    const wish = { username: "novice", password, mustChangePassword: true } as const;
    await accounts.create({ ...wish, permissions: ["admin"] }, "test");
    const login = (await logInAs("novice")).json();
    expect(login.must_change_password).toBe(true);
    const token: string = login.access_token;
    const allowed = ["GET /v1/auth/me", "POST /v1/auth/password", "POST /v1/auth/logout"];
    const answers = [];
    for (const { method, url } of routes) {
      if (needOf(method, url) === "public" || allowed.includes(`${method} ${url}`)) continue;
      const path = url.replace(/:\w+|\*/g, "x");
      const { statusCode, body } = await ask(token, { method: method as "GET", url: path });
      answers.push([`${method} ${url}`, statusCode, body.includes("password_change_required")]);
    }
    expect(answers.filter(([, status, isSaid]) => status !== 403 || isSaid !== true)).toEqual([]);
    expect(answers.length).toBeGreaterThan(40);
    const refused = await ask(token);
    expect(refused.json().error.code).toBe("password_change_required");
    expect(refused.json().error.message).toMatch(
      /^novice must change its password .* POST \/v1\/auth\/password with "old_password"/,
    );
    expect((await ask(token, { url: "/v1/auth/me" })).json()).toMatchObject({
      name: "novice",
      must_change_password: true,
    });
    // The next token is no way around it.
    const payload = { refresh_token: login.refresh_token };
    const refresh = { method: "POST", url: "/v1/auth/refresh", payload } as const;
    const next = (await ask(undefined, refresh)).json();
    expect(next.must_change_password).toBe(true);
    expect((await ask(next.access_token)).statusCode).toBe(403);

    const change = async (from: string, to: string) =>
      await ask(token, {
        method: "POST",
        url: "/v1/auth/password",
        payload: { old_password: from, new_password: to },
      });
    expect((await change("not the password", "another password")).statusCode).toBe(403);
    expect((await change(password, password)).statusCode).toBe(400);
    expect((await change(password, "short")).statusCode).toBe(400);
    expect((await ask(token)).statusCode).toBe(403);
    const changed = await change(password, "another password");
    expect(changed.json()).toMatchObject({ status: "ok", must_change_password: false });
    expect((await ask(changed.json().access_token)).statusCode).toBe(200);
    for (const before of [token, next.access_token]) {
      expect((await ask(before)).statusCode).toBe(401);
    }
    expect((await logInAs("novice")).statusCode).toBe(401);
    const again = (await logInAs("novice", "another password")).json();
    expect((await ask(again.access_token, { url: "/v1/admin/users" })).statusCode).toBe(200);
    await accounts.remove("novice", "test");
  });

  test("grants itself nothing, and touches nobody above (AU-10)", async () => {
    const { access_token: token } = (await logInAs("manager")).json();
    const put = async (url: string, payload: object) =>
      (await ask(token, { method: "PUT", url, payload })).statusCode;
    expect(await put("/v1/admin/users/manager", { permissions: ["admin"] })).toBe(403);
    expect(
      await put("/v1/admin/users/manager/permissions", { permissions: ["models:start"] }),
    ).toBe(403);
    expect(await put("/v1/admin/users/root/password", { password: "a new password" })).toBe(403);
    const key = {
      method: "POST",
      url: "/v1/admin/keys",
      payload: { name: "x", permissions: ["admin"] },
    } as const;
    expect((await ask(token, key)).statusCode).toBe(403);
    expect((await ask(token, { method: "DELETE", url: "/v1/admin/users/root" })).statusCode).toBe(
      403,
    );
  });

  test("that is the last administrator stays", async () => {
    const options = { method: "DELETE", url: "/v1/admin/users/root" } as const;
    const reply = await ask(server.adminKey, options);
    expect(reply.statusCode).toBe(403);
    expect(reply.json().error.message).toMatch(/last administrator/);
  });

  test("takes another's rights while that one takes its own: one administrator is left", async () => {
    await using fresh = await guardedServer();
    const { accounts } = fresh.platform.identity;
    for (const username of ["ann", "bob"]) {
      await accounts.create({ username, password, permissions: ["admin"] }, "test");
    }
    const ends = await Promise.allSettled([
      accounts.change("ann", { isEnabled: false }, "bob"),
      accounts.change("bob", { permissions: ["models:list"] }, "ann"),
    ]);
    expect(ends.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await expect(accounts.remove("ann", "test")).resolves.toBe(undefined);
    await expect(accounts.remove("bob", "test")).rejects.toThrow(/bob is the last administrator/);
  });

  test("that is made first needs a code, and of two one is made (AU-21)", async () => {
    await using fresh = await guardedServer();
    const setUp = async (username: string, code: string) =>
      (
        await fresh.app.inject({
          method: "POST",
          url: "/v1/admin/setup",
          remoteAddress: peer(),
          payload: { username, password, setup_code: code },
        })
      ).statusCode;
    expect((await fresh.app.inject({ url: "/v1/admin/setup/status" })).json().needs_setup).toBe(
      true,
    );
    expect(await setUp("eve", "guess")).toBe(401);
    expect(await setUp("eve", fresh.inferenceKey)).toBe(403);
    const { secret: limited } = await fresh.platform.identity.keys.create(
      { name: "limited", permissions: ["admin"], allowance: { tokensPerDay: 1 } },
      "test",
    );
    expect(await setUp("eve", limited)).toBe(403);
    const both = await Promise.all([setUp("ann", fresh.adminKey), setUp("bob", fresh.adminKey)]);
    expect(both.toSorted((a, b) => a - b)).toEqual([200, 403]);
    expect(await fresh.platform.identity.accounts.list()).toHaveLength(1);
    expect((await fresh.app.inject({ url: "/v1/admin/setup/status" })).json().needs_setup).toBe(
      false,
    );
  });
});

describe("keys by route", () => {
  test("are made, shown once, changed and revoked, and each step is an event", async () => {
    const admin = async (
      method: "POST" | "PUT" | "GET" | "DELETE",
      url: string,
      payload?: object,
    ) => await ask(server.adminKey, { method, url, ...(payload === undefined ? {} : { payload }) });
    const made = (await admin("POST", "/v1/admin/keys", { name: "ui", tokens_per_day: 5 })).json();
    expect(made.api_key).toMatch(/^sk-atalaya-[\w-]{43}$/);
    expect((await admin("GET", "/v1/admin/keys")).body).not.toContain(made.api_key);
    const changed = await admin("PUT", `/v1/admin/keys/${made.id}`, { enabled: false });
    expect(changed.json()).toMatchObject({ enabled: false, tokens_per_day: 5 });
    expect((await admin("GET", `/v1/admin/keys/${made.id}/reveal`)).statusCode).toBe(400);
    expect((await admin("DELETE", `/v1/admin/keys/${made.id}`)).statusCode).toBe(200);
    expect((await admin("DELETE", `/v1/admin/keys/${made.id}`)).statusCode).toBe(404);
    const events = await server.platform.events.list({ subject: made.id });
    expect(events.map(({ type, actor }) => [type, actor])).toEqual([
      ["key-revoked", "admin"],
      ["key-changed", "admin"],
      ["key-created", "admin"],
    ]);
  });
});

describe("web pages", () => {
  const page = async (origin: string, more: InjectOptions = {}) =>
    await ask(server.inferenceKey, { headers: { origin }, ...more });

  test("of named origins may ask, and their browsers are told so", async () => {
    const origin = "https://chat.example.org";
    const reply = await page(origin);
    expect(reply.statusCode).toBe(200);
    expect(reply.headers["access-control-allow-origin"]).toBe(origin);
    expect(reply.headers["access-control-allow-credentials"]).toBe(undefined);
    const preflight = await ask(undefined, {
      method: "OPTIONS",
      url: "/v1/chat/completions",
      headers: { origin, "access-control-request-method": "POST" },
    });
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers["access-control-allow-headers"]).toContain("authorization");
  });

  test.each([
    "https://evil.example",
    "null",
    "https://chat.example.org.evil.example",
    "http://chat.example.org",
  ])("of %s may not, key or none (AU-14, AU-15, AU-16)", async (origin) => {
    const reply = await page(origin);
    expect(reply.statusCode).toBe(403);
    const preflight = await ask(undefined, {
      method: "OPTIONS",
      url: "/v1/models",
      headers: { origin, "access-control-request-method": "POST" },
    });
    for (const { headers } of [reply, preflight]) {
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });

  test("under another name reach nothing without a key; with one, any name will do (AU-13)", async () => {
    const headers = { host: "evil.example" };
    expect((await ask(undefined, { url: "/v1/cluster/auth", headers })).statusCode).toBe(421);
    expect((await ask(undefined, { headers })).statusCode).toBe(401);
    expect((await ask(server.inferenceKey, { headers })).statusCode).toBe(200);
    expect((await ask(server.inferenceKey, { headers: { host: "a/?x=" } })).statusCode).toBe(421);
  });
});
