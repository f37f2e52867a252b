/** Addresses of pictures, in every place that takes one: the same policy, and nothing near is touched. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let canary: Server;
let numAsked = 0;
let server: FakeServer;

beforeAll(async () => {
  canary = createServer((_request, response) => {
    numAsked++;
    response.end("secret");
  });
  await new Promise<void>((resolve) => canary.listen(0, "127.0.0.1", resolve));
  server = await serveFakeEngine("A red circle.");
});
beforeEach(() => {
  numAsked = 0;
  server.engine.requests.length = 0;
});
afterAll(async () => {
  canary.close();
  await server[Symbol.asyncDispose]();
});

const openPort = (): string => `http://127.0.0.1:${(canary.address() as AddressInfo).port}/`;

const post = async (path: string, body: object, url = server.url): Promise<Response> =>
  await fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "fake", ...body }),
  });

const turn = (part: object) => ({ messages: [{ role: "user", content: [part] }] });

/** Every place of every dialect that takes the address of a picture. */
const places: Record<string, (url: string) => { path: string; body: object }> = {
  "OpenAI's image_url": (url) => ({
    path: "/v1/chat/completions",
    body: turn({ type: "image_url", image_url: { url } }),
  }),
  "its bare form": (url) => ({
    path: "/v1/chat/completions",
    body: turn({ type: "image_url", image_url: url }),
  }),
  input_image: (url) => ({
    path: "/v1/chat/completions",
    body: turn({ type: "input_image", image_url: url }),
  }),
  "LangChain's url": (url) => ({
    path: "/v1/chat/completions",
    body: turn({ type: "image", source_type: "url", url }),
  }),
  "the AI SDK's file": (url) => ({
    path: "/v1/chat/completions",
    body: turn({ type: "file", mediaType: "image/png", data: url }),
  }),
  "an earlier turn": (url) => ({
    path: "/v1/chat/completions",
    body: {
      messages: [
        ...turn({ type: "image_url", image_url: url }).messages,
        { role: "assistant", content: "Red." },
        { role: "user", content: "And now?" },
      ],
    },
  }),
  "the images of completions": (url) => ({
    path: "/v1/completions",
    body: { prompt: "<|image|>It is", images: [url] },
  }),
  "Anthropic's source": (url) => ({
    path: "/v1/messages",
    body: { max_tokens: 5, ...turn({ type: "image", source: { type: "url", url } }) },
  }),
  "Anthropic's result of a tool": (url) => ({
    path: "/v1/messages",
    body: {
      max_tokens: 5,
      messages: [
        { role: "user", content: "Look." },
        {
          role: "assistant",
          content: [{ type: "tool_use", id: "toolu_1", name: "look", input: {} }],
        },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "toolu_1",
              content: [{ type: "image", source: { type: "url", url } }],
            },
          ],
        },
      ],
    },
  }),
  "OpenAI's result of a tool": (url) => ({
    path: "/v1/chat/completions",
    body: {
      messages: [
        { role: "user", content: "Look." },
        {
          role: "assistant",
          tool_calls: [
            { id: "call_1", type: "function", function: { name: "look", arguments: "{}" } },
          ],
        },
        {
          role: "tool",
          tool_call_id: "call_1",
          content: [{ type: "image_url", image_url: { url } }],
        },
      ],
    },
  }),
  "the input of a response": (url) => ({
    path: "/v1/responses",
    body: { input: [{ role: "user", content: [{ type: "input_image", image_url: url }] }] },
  }),
  "a file in the input of a response": (url) => ({
    path: "/v1/responses",
    body: { input: [{ role: "user", content: [{ type: "input_file", file_url: url }] }] },
  }),
  "what a function of a response gave": (url) => ({
    path: "/v1/responses",
    body: {
      input: [
        { role: "user", content: "Look." },
        { type: "function_call", call_id: "call_1", name: "look", arguments: "{}" },
        {
          type: "function_call_output",
          call_id: "call_1",
          output: [{ type: "input_image", image_url: url }],
        },
      ],
    },
  }),
  "Ollama's chat": (url) => ({
    path: "/api/chat",
    body: { messages: [{ role: "user", content: "?", images: [url] }] },
  }),
  "Ollama's generate": (url) => ({
    path: "/api/generate",
    body: { prompt: "?", images: [url] },
  }),
};

describe.each(Object.entries(places))("%s", (_, place) => {
  test("never reaches this machine, whether the port is open or closed (SS-01, SS-02, SS-21, SS-26)", async () => {
    const texts = [];
    for (const url of [
      openPort(),
      "http://127.0.0.1:1/",
      "http://169.254.169.254/",
      "file:///etc/passwd",
    ]) {
      const { path, body } = place(url);
      const reply = await post(path, body);
      expect(reply.status).toBe(400);
      const text = await reply.text();
      expect(text).toContain("url_not_allowed");
      texts.push(text.replace(/req_\w+/, ""));
    }
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).toBe(texts[2]);
    expect(numAsked).toBe(0);
    expect(server.engine.requests).toEqual([]);
  });

  test("does not do what no scheme of ours does (SS-14, SS-26)", async () => {
    for (const url of ["gopher://127.0.0.1/", "javascript:alert(1)"]) {
      const { path, body } = place(url);
      expect(await (await post(path, body)).text()).toContain("unsupported_url_scheme");
    }
  });
});

describe("what is no address at all", () => {
  /** A picture that would be seen, were it read. */
  let folder: string;
  let picture: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "atalaya-bare-"));
    picture = join(folder, "private.png");
    await sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } }).toFile(
      picture,
    );
  });
  afterAll(async () => await rm(folder, { recursive: true }));

  test.each(Object.entries(places))("a bare path is not read: %s (SS-28)", async (_, place) => {
    for (const bare of [
      picture,
      relative(process.cwd(), picture),
      "x.png",
      "C:\\x.png",
      "C:/x.png",
      "\\\\host\\share\\x.png",
      "~/x.png",
    ]) {
      const { path, body } = place(bare);
      const reply = await post(path, body);
      expect(reply.status, bare).toBe(400);
      expect(await reply.text()).toMatch(/invalid_image|unsupported_url_scheme|invalid_request/);
    }
    expect(server.engine.requests).toEqual([]);
  });
});

test("a count of tokens looks at no picture (SS-26)", async () => {
  const body = turn({ type: "image", source: { type: "url", url: openPort() } });
  expect((await post("/v1/messages/count_tokens", body)).status).toBe(200);
  expect(numAsked).toBe(0);
});

test("a moderation has the same policy (SS-26)", async () => {
  await using guard = await serveFakeEngine("safe", { familyName: "llama-guard-3-11b-vision" });
  for (const url of [openPort(), "http://127.0.0.1:1/", "http://169.254.169.254/"]) {
    const input = [{ type: "image_url", image_url: { url } }];
    const reply = await post("/v1/moderations", { input }, guard.url);
    expect(reply.status).toBe(400);
    expect(await reply.text()).toContain("url_not_allowed");
  }
  expect(numAsked).toBe(0);
});

test("a thousand addresses are refused before one is asked (SS-19)", async () => {
  const asked: string[] = [];
  await using counting = await serveFakeEngine("", {
    fetchMedia: async (url) => {
      asked.push(url);
      return new Uint8Array(0);
    },
  });
  const content = Array.from({ length: 200 }, () => ({
    type: "image_url",
    image_url: "http://a.example.com/",
  }));
  const messages = Array.from({ length: 5 }, () => ({ role: "user", content }));
  const reply = await post("/v1/chat/completions", { messages }, counting.url);
  expect(reply.status).toBe(400);
  expect(await reply.text()).toContain("1000 pictures; the most is 8");
  expect(asked).toEqual([]);
});

test("text is text: an address in it is no address (SS-20)", async () => {
  const content = `![](${openPort()}) <img src="${openPort()}">`;
  const messages = [{ role: "user", content }];
  expect((await post("/v1/chat/completions", { messages })).status).toBe(200);
  expect(numAsked).toBe(0);
});

test("what a public host said stays out of the answer and the log (SS-22)", async () => {
  let logged = "";
  const log = createLogger("debug", { write: (line: string) => (logged += line) });
  await using telling = await serveFakeEngine("", {
    fetchMedia: async () => Buffer.from("<html>the secret</html>"),
    log,
  });
  const { path, body } = places["Ollama's chat"]?.("http://pictures.example.com/key=k3y") ?? {
    path: "",
    body: {},
  };
  const reply = await post(path, body, telling.url);
  expect(reply.status).toBe(400);
  const text = await reply.text();
  expect(text).toContain("invalid_image");
  expect(text + logged).not.toMatch(/secret|k3y|pictures\.example/);
  expect(logged).toContain('"route":"/api/chat"');
});

test("a public picture is seen like any other", async () => {
  const bytes = await sharp({ create: { width: 30, height: 20, channels: 3, background: "red" } })
    .webp()
    .toBuffer();
  await using fetching = await serveFakeEngine("A red circle.", { fetchMedia: async () => bytes });
  for (const [, place] of Object.entries(places)) {
    const { path, body } = place("https://pictures.example.com/a.webp");
    const reply = await post(path, body, fetching.url);
    expect(reply.status).toBe(200);
    await reply.text();
  }
  expect(fetching.engine.requests).toHaveLength(Object.keys(places).length);
  for (const { prompt } of fetching.engine.requests) {
    expect(prompt.pictures).toMatchObject([{ width: 30, height: 20 }]);
  }
}, 120_000);
