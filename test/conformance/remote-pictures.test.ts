/** Addresses of pictures, in every place that takes one: the same policy, and nothing near is touched. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
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
  test("never reaches this machine, whether the port is open or closed", async () => {
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

  test("does not do what no scheme of ours does", async () => {
    for (const url of ["gopher://127.0.0.1/", "javascript:alert(1)"]) {
      const { path, body } = place(url);
      expect(await (await post(path, body)).text()).toContain("unsupported_url_scheme");
    }
  });
});

test("a thousand addresses are refused before one is asked", async () => {
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

test("text is text: an address in it is no address", async () => {
  const content = `![](${openPort()}) <img src="${openPort()}">`;
  const messages = [{ role: "user", content }];
  expect((await post("/v1/chat/completions", { messages })).status).toBe(200);
  expect(numAsked).toBe(0);
});

test("what a public host said stays out of the answer and the log", async () => {
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
