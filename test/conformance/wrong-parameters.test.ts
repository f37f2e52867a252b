/** Parameters that no answer can be had with: each is refused, nothing reaches the engine, and the next request is answered. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
let logged = "";

beforeAll(async () => {
  const log = createLogger("debug", {
    write: (line) => {
      logged += line;
    },
  });
  server = await serveFakeEngine("Fine.", { log });
});
beforeEach(() => {
  server.engine.requests.length = 0;
  logged = "";
});
afterEach(async () => {
  expect((await chat({})).status).toBe(200);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});
afterAll(async () => await server[Symbol.asyncDispose]());

type Reply = { readonly status: number; readonly text: string; readonly headers: Headers };

/** @param body JSON, well-formed or not */
async function post(path: string, body: string): Promise<Reply> {
  const reply = await fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return { status: reply.status, text: await reply.text(), headers: reply.headers };
}

const chatBody = (members: string): string =>
  `{"model":"fake","messages":[{"role":"user","content":"hi"}]${members}}`;

const chat = async (fields: object): Promise<Reply> => {
  const members = Object.entries(fields).map(
    ([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
  return await post("/v1/chat/completions", chatBody(members.join("")));
};

const biases = (numEntries: number): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: numEntries }, (_, id) => [id, 1])));

describe("a parameter", () => {
  test.each([
    ["PA-01: an infinite temperature", '"temperature":1e400', "temperature"],
    ["PA-01: a temperature that is no number", '"temperature":NaN', null],
    ["PA-01: a temperature as text", '"temperature":"0.7"', "temperature"],
    ["PA-01: a temperature below 0", '"temperature":-0.1', "temperature"],
    ["PA-01: a temperature above 2", '"temperature":2.1', "temperature"],
    ["PA-02: no tokens", '"max_tokens":0', "max_tokens"],
    ["PA-02: fewer than no tokens", '"max_tokens":-1', "max_tokens"],
    ["PA-02: a token and a half", '"max_tokens":1.5', "max_tokens"],
    ["PA-02: 1e21 tokens", '"max_tokens":1e21', "max_tokens"],
    ["PA-02: tokens as text", '"max_tokens":"10"', "max_tokens"],
    ["PA-02: a token more than the context", '"max_tokens":4097', "max_tokens"],
    ["PA-03: no answer", '"n":0', "n"],
    ["PA-03: a milliard of answers", '"n":1000000000', "n"],
    ["PA-04: a million alternatives", '"logprobs":true,"top_logprobs":1000000', "top_logprobs"],
    ["PA-05: a bias for token -1", '"logit_bias":{"-1":1}', "logit_bias"],
    ["PA-05: a bias for token 1e9", '"logit_bias":{"1000000000":1}', "logit_bias"],
    ["PA-05: a bias for no token", '"logit_bias":{"abc":1}', "logit_bias"],
    ["PA-05: an infinite bias", '"logit_bias":{"5":1e400}', "logit_bias.5"],
    ["PA-05: 10,000 biases", `"logit_bias":${biases(10_000)}`, "logit_bias"],
    ["PA-06: a stop text of a megabyte", `"stop":"${"s".repeat(1_000_000)}"`, "stop"],
    ["PA-06: 100,000 stop texts", `"stop":${JSON.stringify(Array(100_000).fill("s"))}`, null],
    ["PA-07: a seed of 65 bits", '"seed":9223372036854775808', "seed"],
    ["PA-07: a seed below 64 bits", '"seed":-9223372036854777856', "seed"],
    ["PA-14: a stream that is asked for by text", '"stream":"yes"', "stream"],
    ["PA-14: options of no stream", '"stream_options":{"include_usage":true}', "stream_options"],
    ["PA-16: more tokens at least than at most", '"min_tokens":5,"max_tokens":4', "min_tokens"],
  ])("%s", async (_what, member, param) => {
    const { status, text } = await post("/v1/chat/completions", chatBody(`,${member}`));
    expect(status, text).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ error: { param } });
    expect(text.length).toBeLessThan(1_000);
    expect(server.engine.requests).toHaveLength(0);
  });

  test("that is null is as one that is left out (PA-01)", async () => {
    await chat({});
    await chat({ temperature: null });
    const [without, withNull] = server.engine.requests;
    expect(withNull?.sampling.temperature).toBe(without?.sampling.temperature);
    expect(withNull?.sampling.temperature).toBeTypeOf("number");
  });

  test("that comes twice counts as the last says, for the engine too (PA-09)", async () => {
    const body = chatBody(',"max_tokens":7,"max_tokens":3');
    expect((await post("/v1/chat/completions", body)).status).toBe(200);
    expect(server.engine.requests.map(({ sampling }) => sampling.maxTokens)).toEqual([3]);
  });

  test("that names a prototype changes none (PA-10)", async () => {
    const prototype = await post("/v1/chat/completions", chatBody(',"__proto__":{"polluted":1}'));
    expect(prototype.status).toBe(400);
    const constructed = await post(
      "/v1/chat/completions",
      chatBody(',"constructor":{"prototype":{"polluted":1}}'),
    );
    expect(constructed.status).toBe(200);
    expect(constructed.headers.get("x-ignored-fields")).toBe("constructor");
    expect({}).not.toHaveProperty("polluted");
  });

  test("that nobody knows is listed, and does not reach the engine (PA-12)", async () => {
    const { status, headers } = await chat({ colour: "a-mark-of-its-own", "": 1 });
    expect(status).toBe(200);
    expect(headers.get("x-ignored-fields")).toBe("colour");
    expect(server.engine.requests).toHaveLength(1);
    expect(JSON.stringify(server.engine.requests)).not.toContain("a-mark-of-its-own");
  });

  test.each(["other", "../../etc/passwd", "/etc/passwd"])(
    "that names no model here is told so, without a path of ours: %s (PA-13)",
    async (model) => {
      const { status, text } = await chat({ model });
      expect(status).toBe(404);
      expect(JSON.parse(text)).toMatchObject({ error: { code: "model_not_found" } });
      expect(text.replaceAll(model, "")).not.toContain("/");
      expect(server.engine.requests).toHaveLength(0);
    },
  );

  test("that names no model at all is missing (PA-13)", async () => {
    const { status, text } = await post("/v1/chat/completions", '{"messages":[]}');
    expect(status).toBe(400);
    expect(text).toContain('\\"model\\" is missing');
  });

  test("that is a list of 100,000 prompts (PA-17)", async () => {
    const prompt = Array(100_000).fill("x");
    const { status } = await post("/v1/completions", JSON.stringify({ model: "fake", prompt }));
    expect(status).toBe(400);
    expect(server.engine.requests).toHaveLength(0);
  });

  const long = "a note of 10 MB ".repeat(655_360);
  test.each([
    ["user", long],
    ["metadata", { note: long }],
  ])("that is 10 MB of %s is refused, and not logged (PA-18)", async (name, value) => {
    const { status, text } = await chat({ [name]: value });
    expect(status).toBe(400);
    expect(text.length).toBeLessThan(1_000);
    await vi.waitFor(() => expect(logged).not.toBe(""), 10_000);
    expect(logged.length).toBeLessThan(10_000);
    expect(server.engine.requests).toHaveLength(0);
  });
});
