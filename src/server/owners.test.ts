/** What one key makes belongs to that key, on every route and in every reference. */
import { setTimeout as sleep } from "node:timers/promises";
import type { InjectOptions } from "fastify";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { toForm } from "../../test/support/form.ts";
import { type GuardedServer, guardedServer, password } from "../../test/support/guarded-server.ts";
import { routesOf } from "../../test/support/routes.ts";
import { serveFakeEngine } from "../../test/support/serve.ts";
import type { App } from "./http.ts";

let server: GuardedServer;
let ann: string;
let bob: string;
let picture: Buffer;

beforeAll(async () => {
  server = await guardedServer({ maxNumSeqs: 8 });
  ann = await newKey("ann");
  bob = await newKey("bob");
  const red = { create: { width: 30, height: 20, channels: 3, background: "red" } } as const;
  picture = await sharp(red).png().toBuffer();
});
afterEach(() => {
  server.engine.answer = quick;
});
afterAll(async () => await server[Symbol.asyncDispose]());

const quick = { text: "Hello" };
/** Longer than any test waits for it; each ends it. */
const endless = { text: "x".repeat(4_000), tokenDelayMs: 50 };

async function newKey(name: string, more: object = {}): Promise<string> {
  const permissions = ["models:list", "models:read"] as const;
  const wish = { name, permissions, ...more };
  return (await server.platform.identity.keys.create(wish, "test")).secret;
}

async function ask(
  key: string | undefined,
  options: InjectOptions,
  app: Pick<App, "inject"> = server.app,
) {
  const headers = {
    host: "localhost",
    ...options.headers,
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
  return await app.inject({ ...options, headers });
}

async function post(key: string | undefined, url: string, payload: object = {}, app?: App) {
  return await ask(key, { method: "POST", url, payload }, app);
}

const chat = async (key: string, more: object = {}) =>
  await post(key, "/v1/chat/completions", {
    model: "fake",
    messages: [{ role: "user", content: "hi" }],
    ...more,
  });

async function made(reply: Promise<{ statusCode: number; body: string }>): Promise<string> {
  const { statusCode, body } = await reply;
  expect(statusCode, body).toBe(200);
  return (JSON.parse(body) as { id: string }).id;
}

async function upload(
  key: string | undefined,
  file: string | Buffer,
  purpose: string,
  app?: App,
): Promise<string> {
  const form = toForm({ purpose }, file);
  return await made(ask(key, { method: "POST", url: "/v1/files", ...form }, app));
}

const line = (id: string, body: object = {}): string =>
  JSON.stringify({
    custom_id: id,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "fake", messages: [{ role: "user", content: "hi" }], ...body },
  });

const batchOf = (file: string) => ({
  input_file_id: file,
  endpoint: "/v1/chat/completions",
  completion_window: "24h",
});

async function startBatch(key: string, ...lines: string[]): Promise<string> {
  const file = await upload(key, lines.join("\n"), "batch");
  return await made(post(key, "/v1/batches", batchOf(file)));
}

async function endOf(key: string, batch: string) {
  for (let wait = 0; wait < 1_200; wait++) {
    const record = (await ask(key, { url: `/v1/batches/${batch}` })).json();
    if (/^(completed|failed|expired|cancelled)$/.test(record.status)) return record;
    await sleep(25);
  }
  throw new Error("the batch does not end");
}

async function linesOf(key: string, file: string) {
  const { body } = await ask(key, { url: `/v1/files/${file}/content` });
  return body
    .trimEnd()
    .split("\n")
    .map((row) => JSON.parse(row));
}

async function respond(key: string, more: object = {}): Promise<string> {
  return await made(
    post(key, "/v1/responses", { model: "fake", input: "Hi", store: true, ...more }),
  );
}

async function inBackground(key: string): Promise<string> {
  server.engine.answer = endless;
  return await respond(key, { background: true });
}

async function runningBatch(key: string): Promise<string> {
  server.engine.answer = endless;
  const id = await startBatch(key, line("a"));
  for (let wait = 0; wait < 400; wait++) {
    const { status } = (await ask(key, { url: `/v1/batches/${id}` })).json();
    if (status === "in_progress") return id;
    await sleep(25);
  }
  throw new Error("the batch does not begin");
}

type Belonging = {
  readonly make: (key: string) => Promise<string>;
  /** Of the same form, of nothing that is there. */
  readonly unknown: string;
};
const file: Belonging = {
  make: async (key) => await upload(key, "x", "user_data"),
  unknown: `file-${"0".repeat(32)}`,
};
const unknownBatch = `batch_${"0".repeat(32)}`;
const unknownResponse = "resp_00000000-0000-0000-0000-000000000000";

/** Every route whose address has the id of what a key made. */
const owned: Readonly<Record<string, Belonging>> = {
  "GET /v1/files/{id}": file,
  "GET /v1/files/{id}/content": file,
  "DELETE /v1/files/{id}": file,
  "GET /v1/batches/{id}": { make: async (key) => startBatch(key, "{}"), unknown: unknownBatch },
  "POST /v1/batches/{id}/cancel": { make: runningBatch, unknown: unknownBatch },
  "GET /v1/responses/{id}": { make: respond, unknown: unknownResponse },
  "GET /v1/responses/{id}/input_items": { make: respond, unknown: unknownResponse },
  "DELETE /v1/responses/{id}": { make: respond, unknown: unknownResponse },
  "POST /v1/responses/{id}/cancel": { make: inBackground, unknown: unknownResponse },
};

/** Every other route with a part that varies, and what it is the name of. */
const notOwned: Readonly<Record<string, RegExp>> = {
  "a model, which belongs to the server": /^\S+ \/v1\/models\/\{uid\}/,
  "a request, by the asker's own name for it (see below)": /\{request\}/,
  "a family of models": /\/v1\/(model_registrations|engines|models\/LLM)\//,
  "a key or an account, for administrators": /\/v1\/admin\//,
  "a launch of the asker's own": /\/v1\/launch_history\//,
  "a start of the server's": /\/v1\/autostart\//,
  "what no server here makes": /\/v1\/(images|audio|video|ui)|\/sdapi\/|\/v1\/flexible/,
};

describe("an id", () => {
  test("stands in the address of no route but these", async () => {
    const routes = (await routesOf(server.app)).filter((route) => /[{*]/.test(route));
    const isKnown = (route: string): boolean =>
      Object.hasOwn(owned, route) || Object.values(notOwned).some((pattern) => pattern.test(route));
    expect(routes.filter((route) => !isKnown(route))).toEqual([]);
    expect(Object.keys(owned).filter((route) => !routes.includes(route))).toEqual([]);
  });

  test.each(Object.keys(owned))("of another is unknown to %s", async (route) => {
    const [method, url] = route.split(" ") as ["GET", string];
    const { make, unknown } = owned[route] ?? file;
    const at = async (key: string, id: string) =>
      await ask(key, { method, url: url.replace("{id}", id) });
    const shown = ({ statusCode, headers, body }: Awaited<ReturnType<typeof at>>) => {
      const { date: _, "x-request-id": __, ...rest } = headers;
      return { statusCode, body, headers: rest };
    };
    const id = await make(ann);
    const stranger = shown(await at(bob, id));
    expect(stranger).toEqual(shown(await at(bob, unknown)));
    expect(stranger.statusCode).toBe(404);
    const own = await at(ann, id);
    expect(own.statusCode, own.body).toBe(200);
    expect((await at(server.adminKey, await make(ann))).statusCode).toBe(200);
    // What the test has begun does not outlast it.
    for (const { id: batch } of (await ask(ann, { url: "/v1/batches" })).json().data) {
      await post(ann, `/v1/batches/${batch}/cancel`);
    }
  });
});

describe("a reference", () => {
  const withImage = (part: object) => ({
    model: "fake",
    messages: [{ role: "user", content: [{ type: "text", text: "?" }, part] }],
  });
  const withInput = (part: object) => ({
    model: "fake",
    input: [{ role: "user", content: [{ type: "input_text", text: "?" }, part] }],
  });
  const ofBatch = async (key: string): Promise<string> => await upload(key, line("a"), "batch");
  const ofPicture = async (key: string): Promise<string> => await upload(key, picture, "vision");
  const ofItem = async (key: string): Promise<string> => {
    const id = await respond(key);
    return (await ask(key, { url: `/v1/responses/${id}/input_items` })).json().data[0].id;
  };
  test.each([
    { url: "/v1/batches", make: ofBatch, body: batchOf },
    {
      url: "/v1/chat/completions",
      make: ofPicture,
      body: (id: string) => withImage({ type: "file", file: { file_id: id } }),
    },
    {
      url: "/v1/responses",
      make: ofPicture,
      body: (id: string) => withInput({ type: "input_image", file_id: id }),
    },
    {
      url: "/v1/responses",
      make: ofPicture,
      body: (id: string) => withInput({ type: "input_file", file_id: id }),
    },
    {
      url: "/v1/messages",
      make: ofPicture,
      body: (id: string) => ({
        ...withImage({ type: "image", source: { type: "file", file_id: id } }),
        max_tokens: 5,
      }),
    },
    {
      url: "/v1/responses",
      make: respond,
      body: (id: string) => ({ model: "fake", input: "And?", previous_response_id: id }),
    },
    {
      url: "/v1/responses",
      make: ofItem,
      body: (id: string) => ({ model: "fake", input: [{ type: "item_reference", id }] }),
    },
  ])("to another's finds nothing at $url ($body)", async ({ url, make, body }) => {
    const id = await make(ann);
    const unknown = id.replace(/[0-9a-f]{12}$/, "0".repeat(12));
    const [foreign, missing] = [
      await post(bob, url, body(id)),
      await post(bob, url, body(unknown)),
    ];
    const shown = ({ statusCode, body: text }: typeof foreign) => ({
      statusCode,
      text: text.replaceAll(/req_\w+/g, "req"),
    });
    expect(foreign.statusCode, foreign.body).toBe(404);
    expect(shown(foreign)).toEqual(shown(missing));
    expect((await post(ann, url, body(id))).statusCode).toBe(200);
    expect((await post(server.adminKey, url, body(id))).statusCode).toBe(200);
  });
});

describe("a list", () => {
  test.each([
    { url: "/v1/files", make: file.make },
    { url: "/v1/batches", make: async (key: string) => await startBatch(key, "{}") },
  ])("has one's own alone, and no place behind another's: $url", async ({ url, make }) => {
    const eve = await newKey("eve");
    const idsOf = async (key: string, after = ""): Promise<string[]> => {
      const query = after === "" ? "?limit=100" : `?limit=100&after=${after}`;
      return (await ask(key, { url: `${url}${query}` }))
        .json()
        .data.map(({ id }: { readonly id: string }) => id);
    };
    const own = [await make(eve), await make(eve)];
    const others = await make(bob);
    own.push(await make(eve));
    const mine = (await idsOf(eve)).filter((id) => own.includes(id));
    expect(mine.toSorted()).toEqual(own.toSorted());
    expect(await idsOf(eve)).not.toContain(others);
    expect(await idsOf(eve, others)).toEqual(await idsOf(eve, "none"));
    expect(await idsOf(server.adminKey)).toEqual(expect.arrayContaining([...own, others]));
  });
});

describe("an account", () => {
  test("has things of its own, apart from those of a key that it made", async () => {
    const { accounts, keys } = server.platform.identity;
    const permissions = ["models:list", "models:read"] as const;
    const account = await accounts.create({ username: "carl", password, permissions }, "test");
    const logIn = async (): Promise<string> =>
      (await server.platform.identity.sessions.begin(account)).accessToken;
    const [first, second] = [await logIn(), await logIn()];
    const id = await file.make(first);
    const at = async (key: string): Promise<number> =>
      (await ask(key, { url: `/v1/files/${id}` })).statusCode;
    expect(await at(second)).toBe(200);
    expect(await at(ann)).toBe(404);
    const key = await keys.create({ name: "carl's", permissions, owner: account.id }, "test");
    expect(await at(key.secret)).toBe(404);
    const batch = await startBatch(first, line("a"));
    expect(await endOf(second, batch)).toMatchObject({ request_counts: { completed: 1 } });
  });
});

test("what was made without a key is everybody's where none is needed, and administrators' where one is", async () => {
  const ownerless = await server.platform.files.create({
    owner: null,
    filename: "old",
    bytes: (async function* () {
      yield "x";
    })(),
    notes: { purpose: "user_data" },
  });
  const at = { url: `/v1/files/${ownerless.id}` };
  expect((await ask(ann, at)).statusCode).toBe(404);
  expect((await ask(server.adminKey, at)).statusCode).toBe(200);

  await using open = await serveFakeEngine("Hello");
  const app = open.platform.app({ host: "127.0.0.1" });
  await using _ = { [Symbol.asyncDispose]: async () => await app.close() };
  const permissions = ["models:list", "models:read"] as const;
  const { secret } = await open.platform.identity.keys.create({ name: "k", permissions }, "test");
  const [free, keyed] = [
    await upload(undefined, "x", "user_data", app),
    await upload(secret, "x", "user_data", app),
  ];
  for (const id of [free, keyed]) {
    for (const key of [undefined, secret]) {
      expect((await ask(key, { url: `/v1/files/${id}` }, app)).statusCode).toBe(200);
    }
  }
});

describe("a batch's line is asked as its owner", () => {
  test("who may not ask that model, and is told so for that line", async () => {
    const key = await newKey("narrow", { models: ["fake"] });
    const batch = await endOf(key, await startBatch(key, line("a"), line("b", { model: "other" })));
    expect(batch.request_counts).toEqual({ total: 2, completed: 1, failed: 1 });
    const other = await newKey("elsewhere", { models: ["other"] });
    const refused = await endOf(other, await startBatch(other, line("a")));
    expect(await linesOf(other, refused.error_file_id)).toMatchObject([
      {
        custom_id: "a",
        response: { status_code: 403, body: { error: { code: "forbidden" } } },
        error: null,
      },
    ]);
  });

  test("who has spent the day, which its lines count against", async () => {
    const key = await newKey("spent", { allowance: { tokensPerDay: 10 } });
    const { key: known } = await knownBy(key);
    const batch = await endOf(key, await startBatch(key, line("a")));
    expect(batch.request_counts).toEqual({ total: 1, completed: 1, failed: 0 });
    expect((await server.platform.identity.usage.usedToday(known)).tokens).toBeGreaterThan(10);
    expect((await chat(key)).statusCode).toBe(429);
  });

  test("whose limit of pictures holds in a batch too", async () => {
    const key = await newKey("seer", { allowance: { imagesPerDay: 1 } });
    const id = await upload(key, picture, "vision");
    const part = { type: "file", file: { file_id: id } };
    const body = { messages: [{ role: "user", content: [part] }] };
    const batch = await endOf(key, await startBatch(key, line("a", body), line("b", body)));
    expect(batch.request_counts).toEqual({ total: 2, completed: 1, failed: 1 });
    expect(await linesOf(key, batch.error_file_id)).toMatchObject([
      { response: { status_code: 429, body: { error: { code: "rate_limited" } } } },
    ]);
  });

  test("who may have one request under way: the others wait for it", async () => {
    const key = await newKey("single", { allowance: { maxConcurrent: 1 } });
    server.engine.answer = { text: "Hello", tokenDelayMs: 20 };
    const batch = await endOf(key, await startBatch(key, line("a"), line("b"), line("c")));
    expect(batch.request_counts).toEqual({ total: 3, completed: 3, failed: 0 });
  });

  test("whose key is revoked: what is left of it is refused, line by line", async () => {
    const key = await newKey("short");
    const { key: id } = await knownBy(key);
    server.engine.answer = { text: "Hello", tokenDelayMs: 100 };
    const batch = await startBatch(key, ...["a", "b", "c", "d", "e", "f"].map((one) => line(one)));
    for (let wait = 0; server.engine.numRunning === 0 && wait < 400; wait++) await sleep(10);
    await server.platform.identity.keys.revoke(id, "test");
    const ended = await endOf(server.adminKey, batch);
    expect(ended.request_counts).toMatchObject({ total: 6 });
    const rows = await linesOf(server.adminKey, ended.error_file_id);
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) {
      expect(row).toMatchObject({
        response: { status_code: 401, body: { error: { code: "unauthenticated" } } },
        error: null,
      });
    }
    expect((await ask(key, { url: `/v1/batches/${batch}` })).statusCode).toBe(401);
  });
});

/** By the events of the last key that was made. */
async function knownBy(secret: string): Promise<{ readonly key: string }> {
  const { id } = await server.platform.identity.keys.find(secret);
  return { key: id };
}

describe("a response in the background", () => {
  test("is under way until it has ended, for its key's limit", async () => {
    const key = await newKey("patient", { allowance: { maxConcurrent: 2 } });
    const id = await inBackground(key);
    const second = await inBackground(key);
    expect((await chat(key)).statusCode).toBe(429);
    // Whoever has all under way still looks after it.
    expect((await ask(key, { url: `/v1/responses/${id}` })).json().status).not.toBe("completed");
    expect((await post(key, `/v1/responses/${id}/cancel`)).statusCode).toBe(200);
    server.engine.answer = quick;
    await untilAnswered(key);
    expect((await post(key, `/v1/responses/${second}/cancel`)).statusCode).toBe(200);
  });

  test("is no way around it by hanging up, nor by being refused", async () => {
    const key = await newKey("rude", { allowance: { maxConcurrent: 1 } });
    server.engine.answer = endless;
    const payload = { model: "fake", input: "Hi", background: true };
    const gone = new AbortController();
    const { engine } = server;
    const before = engine.requests.length;
    const hungUp = server.app
      .inject({
        method: "POST",
        url: "/v1/responses",
        headers: { host: "localhost", authorization: `Bearer ${key}` },
        payload,
        signal: gone.signal,
      })
      .catch(() => undefined);
    for (let wait = 0; engine.requests.length === before && wait < 400; wait++) await sleep(5);
    gone.abort();
    await hungUp;
    expect((await post(key, "/v1/responses", payload)).statusCode).toBe(429);
    const other = await newKey("refused", { allowance: { maxConcurrent: 1 } });
    for (let count = 0; count < 3; count++) {
      const refused = await post(other, "/v1/responses", { ...payload, model: "none" });
      expect(refused.statusCode).toBe(404);
    }
  });

  async function untilAnswered(key: string): Promise<void> {
    for (let wait = 0; wait < 200; wait++) {
      const { statusCode } = await chat(key);
      if (statusCode === 200) return;
      expect(statusCode).toBe(429);
      await sleep(25);
    }
    throw new Error("it stays under way");
  }
});

describe("a request's own name", () => {
  test("is its key's: another's call by that name ends nothing", async () => {
    const { engine } = server;
    const before = engine.numRunning;
    const untilRunning = async (count: number): Promise<void> => {
      for (let wait = 0; engine.numRunning !== before + count && wait < 400; wait++)
        await sleep(10);
      expect(engine.numRunning).toBe(before + count);
    };
    engine.answer = endless;
    const running = chat(ann, { request_id: "one" });
    await untilRunning(1);
    const abort = async (key: string): Promise<string> =>
      (await post(key, "/v1/models/fake/requests/one/abort")).json().msg;
    expect(await abort(bob)).toBe("NOT_FOUND");
    expect(await abort(server.adminKey)).toBe("NOT_FOUND");
    const bobs = chat(bob, { request_id: "one" });
    await untilRunning(2);
    expect(await abort(bob)).toBe("DONE");
    expect((await bobs).statusCode).not.toBe(200);
    await untilRunning(1);
    expect(await abort(ann)).toBe("DONE");
    expect((await running).statusCode).not.toBe(200);
  });
});

describe("a key for some models", () => {
  test("hears of no others in refusals, in any dialect", async () => {
    const key = await newKey("narrow", { models: ["other"] });
    const messages = [{ role: "user", content: "Hi" }];
    for (const [method, url, payload] of [
      ["POST", "/v1/chat/completions", { messages }],
      ["POST", "/v1/responses", { input: "Hi" }],
      ["POST", "/v1/messages", { messages, max_tokens: 5 }],
      ["POST", "/v1/moderations", { input: "Hi" }],
      ["POST", "/api/chat", { messages }],
      ["POST", "/api/show", {}],
      ["GET", "/v1/models/none", undefined],
    ] as const) {
      const body = payload === undefined ? {} : { payload: { model: "none", ...payload } };
      const refused = await ask(key, { method, url, ...body });
      expect(refused.statusCode, `${url}: ${refused.body}`).toBe(404);
      expect(refused.body, url).not.toContain("fake");
      expect((await ask(ann, { method, url, ...body })).body, url).toContain("fake");
    }
  });

  test("is told nothing of them, and all of its own", async () => {
    const key = await newKey("narrow", { models: ["other"] });
    const own = await newKey("own", { models: ["fake"] });
    expect((await ask(key, { url: "/v1/models/instances" })).json()).toEqual([]);
    expect((await ask(own, { url: "/v1/models/instances" })).json()).toHaveLength(1);
    const summary = { url: "/v1/autostart/models/summary" };
    expect((await ask(key, summary)).body).not.toContain("fake");
    for (const [method, url] of [
      ["GET", "/v1/models/fake/replicas"],
      ["GET", "/v1/models/fake/progress"],
      ["GET", "/v1/models/fake/events"],
      ["GET", "/v1/models/fake/launch"],
      ["POST", "/v1/models/fake/requests/x/abort"],
    ] as const) {
      expect((await ask(key, { method, url })).statusCode, url).toBe(403);
      expect((await ask(own, { method, url })).statusCode, url).toBe(200);
    }
  });
});
