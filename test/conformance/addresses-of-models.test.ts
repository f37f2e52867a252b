/** Addresses where a model is launched, pulled or made known: no field makes the server ask one. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LaunchRequest } from "@atalaya/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { Platform } from "../../src/platform.ts";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { type FakeServer, serveFakeEngine, tinyCheckpoint } from "../support/serve.ts";

let canary: Server;
let numAsked = 0;
let server: FakeServer;

beforeAll(async () => {
  canary = createServer((_request, response) => response.end("{}"));
  canary.on("connection", () => numAsked++);
  await new Promise<void>((resolve) => canary.listen(0, "127.0.0.1", resolve));
  server = await serveFakeEngine("a");
});
beforeEach(() => {
  numAsked = 0;
});
afterAll(async () => {
  canary.close();
  await server[Symbol.asyncDispose]();
});

const canaryUrl = (path: string): string =>
  `http://127.0.0.1:${(canary.address() as AddressInfo).port}/${path}`;

async function post(path: string, body: object): Promise<Response> {
  return await fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** What takes text, or may, and what Xinference's servers know beside. */
const launchFields = [
  ...Object.keys(LaunchRequest.shape).filter((field) => field !== "model_name"),
  "gguf_model_path",
  "lightning_model_path",
  "peft_model_config",
  "virtual_env_packages",
  "envs",
  "hub_endpoint",
  "download_endpoint",
  "model_uri",
  "trust_remote_code",
];

/** Of a model that lies in a directory these change nothing, or an engine of its own reads them. */
const harmless = [
  "model_size_in_billions",
  "revision",
  "picture_cache_memory",
  "picture_cache_disk",
  "virtual_env_packages",
];

describe("a launch", () => {
  test.each(launchFields)("with an address as %s asks nobody (SS-24)", async (field) => {
    for (const value of [canaryUrl("model"), { url: canaryUrl("model") }, [canaryUrl("model")]]) {
      const body = { model_name: "demo", model_path: tinyCheckpoint, model_uid: "launched" };
      const reply = await post("/v1/models", { ...body, [field]: value });
      const text = await reply.text();
      if (reply.status === 200) {
        expect(harmless, `${JSON.stringify(value)}: ${text}`).toContain(field);
        await server.platform.supervisor.terminate("launched");
      } else {
        expect(reply.status, `${JSON.stringify(value)}: ${text}`).toBe(400);
      }
    }
    expect(numAsked).toBe(0);
  });

  test("or a pull of an address as the model's name asks nobody (SS-24)", async () => {
    for (const name of [canaryUrl("model"), canaryUrl("me/model").slice("http://".length)]) {
      for (const [path, body] of [
        ["/v1/models", { model_name: name }],
        ["/v1/launch", { model_version: name }],
        ["/v1/models/instance", { model_version: name }],
        ["/api/pull", { model: name, stream: false }],
        ["/api/show", { model: name }],
        ["/api/create", { model: "x", from: name, stream: false }],
        ["/api/chat", { model: name, messages: [{ role: "user", content: "a" }] }],
        ["/v1/chat/completions", { model: name, messages: [{ role: "user", content: "a" }] }],
      ] as const) {
        const reply = await post(path, body);
        expect([400, 404], `${path} ${await reply.text()}`).toContain(reply.status);
      }
    }
    expect(numAsked).toBe(0);
  });
});

describe("a registration", () => {
  const spec = { model_format: "pytorch", model_size_in_billions: 11, quantization: "none" };
  const family = (change: object, ofFamily: object = {}) => ({
    version: 2,
    model_name: "elsewhere",
    model_lang: ["en"],
    model_ability: ["chat", "vision"],
    model_family: "llama-3.2-vision",
    model_specs: [{ ...spec, model_id: "me/receipts", model_hub: "huggingface", ...change }],
    ...ofFamily,
  });

  test.each([
    { field: "model_uri", change: () => ({ model_uri: canaryUrl("model") }) },
    { field: "model_id", change: () => ({ model_id: canaryUrl("model") }) },
    { field: "model_hub", change: () => ({ model_hub: canaryUrl("hub") }) },
    { field: "model_revision", change: () => ({ model_revision: canaryUrl("main") }) },
    { field: "quantization", change: () => ({ quantization: canaryUrl("q") }) },
    {
      field: "model_src",
      change: () => ({ model_src: { [canaryUrl("hub")]: { model_id: "me/receipts" } } }),
    },
    {
      field: "a source's model_id",
      change: () => ({ model_src: { huggingface: { model_id: canaryUrl("model") } } }),
    },
  ])("with an address as $field is refused, and asks nobody (SS-24)", async ({ change }) => {
    const body = { model: JSON.stringify(family(change())), persist: false };
    const reply = await post("/v1/model_registrations/LLM", body);
    expect(reply.status, await reply.text()).toBe(400);
    expect(numAsked).toBe(0);
  });

  test("whose fields nobody reads are addresses asks none, and says that it reads none (SS-24)", async () => {
    const unread = {
      virtualenv: { packages: [canaryUrl("x.whl")], find_links: canaryUrl("links") },
      chat_template: canaryUrl("template"),
    };
    using folder = temporaryFolder();
    await using platform = new Platform({
      log: createLogger("silent"),
      settings: { home: folder.path, modelRoots: [] },
    });
    const app = platform.app({ host: "127.0.0.1" });
    const reply = await app.inject({
      method: "POST",
      url: "/v1/model_registrations/LLM",
      payload: { model: JSON.stringify(family({}, unread)), persist: false },
    });
    await app.close();
    expect(reply.statusCode, reply.body).toBe(200);
    expect(reply.headers["x-ignored-fields"]).toBe("chat_template, virtualenv");
    expect(numAsked).toBe(0);
  });
});
