import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findNative, noGguf, tinyCheckpoint } from "../../test/support/serve.ts";
import { createLogger } from "../base/logger.ts";
import { packageVersion } from "../config/package.ts";
import { Platform } from "../platform.ts";
import type { App } from "./http.ts";

let platform: Platform;
let app: App;
let port = 0;

beforeAll(async () => {
  platform = new Platform({
    log: createLogger("silent"),
    parts: {
      findEngine: findNative(() => Promise.reject(new Error("nothing is launched here"))),
      openPipeline: async () => await Promise.reject(new Error("nothing is launched here")),
      demoDirectory: tinyCheckpoint,
      gguf: noGguf,
      locateFiles: async () => undefined,
    },
  });
  app = platform.app({ host: "127.0.0.1" });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const address = app.server.address();
  port = typeof address === "object" ? (address?.port ?? 0) : 0;
});
afterAll(async () => {
  await app.close();
  await platform[Symbol.asyncDispose]();
});

/** Send text as it is, and read until the server closes or goes quiet. */
async function raw(text: string): Promise<{ status: number; text: string }> {
  const socket = connect(port, "127.0.0.1");
  socket.setTimeout(1_000, () => socket.destroy());
  socket.on("error", () => undefined);
  socket.write(text.replaceAll("\n", "\r\n"));
  let answer = "";
  socket.on("data", (data) => {
    answer += data.toString();
    if (/\r\n\r\n.*\}$/s.test(answer)) socket.destroy();
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0), text: answer };
}

const get = (path: string, headers: string): Promise<{ status: number; text: string }> =>
  raw(`GET ${path} HTTP/1.1\n${headers}\n\n`);

describe("a request is refused before any work", () => {
  test.each([
    { why: "names another machine (AU-13)", headers: "Host: evil.example", status: 421 },
    {
      why: "names one that begins like ours (AU-13)",
      headers: "Host: localhost.evil.example",
      status: 421,
    },
    { why: "hides a path in its host", headers: "Host: a/?x=", status: 421 },
    { why: "has no host", headers: "X: y", status: 400 },
    { why: "has two hosts (HT-15)", headers: "Host: localhost\nHost: localhost", status: 400 },
    { why: "has two keys", headers: "Host: localhost\nX-Api-Key: a\nX-Api-Key: b", status: 400 },
    {
      why: "comes from a foreign page (AU-14)",
      headers: "Host: localhost\nOrigin: https://evil.example",
      status: 403,
    },
    {
      why: "comes from an opaque page (AU-16)",
      headers: "Host: localhost\nOrigin: null",
      status: 403,
    },
    {
      why: "comes from another port's page",
      headers: "Host: localhost:1\nOrigin: http://localhost:2",
      status: 403,
    },
    {
      why: "comes from across sites",
      headers: "Host: localhost\nSec-Fetch-Site: cross-site",
      status: 403,
    },
    {
      why: "asks for a web socket (HT-21)",
      headers: "Host: localhost\nConnection: upgrade\nUpgrade: websocket",
      status: 400,
    },
    { why: "has too many headers", headers: `Host: localhost${"\nX: y".repeat(100)}`, status: 431 },
    {
      why: "has a key of a megabyte (AU-04)",
      headers: `Host: localhost\nAuthorization: Bearer ${"y".repeat(1024 * 1024)}`,
      status: 431,
    },
    {
      why: "has too large a header",
      headers: `Host: localhost\nX: ${"y".repeat(17 * 1024)}`,
      status: 431,
    },
    { why: "has a space before the colon", headers: "Host : localhost", status: 400 },
  ])("that $why: $status", async ({ headers, status }) => {
    const answer = await get("/v1/models", headers);
    expect(answer.status).toBe(status);
    expect(answer.text).not.toContain('"object":"list"');
    expect(answer.text.toLowerCase()).not.toContain("access-control-allow-origin");
  });

  test.each([
    "/v1/../v1/models",
    "/V1/models",
    "/v1/models/",
    "/v1%2fmodels",
    "/v1/models;x",
    "//v2/models",
    "/v1//models",
    "http://x/v1/models",
    "/v1/models/%E0%A4%A",
    "/v1/%zz",
    `/v1/models?${"x".repeat(9_000)}`,
  ])("whose path is %s (HT-23)", async (path) => {
    const answer = await get(path, "Host: localhost");
    expect([400, 404, 414]).toContain(answer.status);
  });

  test.each(["TRACE", "FOO", "CONNECT"])("whose method is %s (HT-16)", async (method) => {
    const target = method === "CONNECT" ? "x:443" : "/v1/models";
    const { status } = await raw(`${method} ${target} HTTP/1.1\nHost: localhost\n\n`);
    // 0: closed without an answer, which is what the runtime does with a tunnel.
    expect([0, 400, 405, 501]).toContain(status);
  });

  test("that announces more than any route takes, before it is sent (HT-09, HT-20)", async () => {
    const head = `POST /v1/chat/completions HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 10737418240`;
    expect((await raw(`${head}\n\n`)).status).toBe(413);
    const asked = await raw(`${head}\nExpect: 100-continue\n\n`);
    expect(asked.status).toBe(413);
    expect(asked.text).not.toContain("100 Continue");
  });

  test.each([
    "Content-Length: 3\nTransfer-Encoding: chunked",
    "Content-Length: 3\nContent-Length: 4",
    "Transfer-Encoding: xchunked",
  ])("whose framing is ambiguous: %s", async (framing) => {
    const { status, text } = await raw(
      `POST /v1/models HTTP/1.1\nHost: localhost\nContent-Type: application/json\n${framing}\n\n0\n\nGET /health HTTP/1.1\nHost: localhost\n\n`,
    );
    expect(status).toBe(400);
    expect(text).not.toContain('"status":"ok"');
  });

  test("that is no HTTP", async () => {
    expect((await raw("\u0016\u0003\u0001 hello\n\n")).status).toBe(400);
    expect((await raw("PRI * HTTP/2.0\n\nSM\n\n")).status).toBeGreaterThanOrEqual(400);
  });
});

describe("a body", () => {
  const post = (headers: Record<string, string>, payload: string) =>
    app.inject({ method: "POST", url: "/v1/chat/completions", headers, payload });

  test.each([
    { type: "text/plain", status: 415 },
    { type: "application/x-www-form-urlencoded", status: 415 },
    { type: "application/json garbage", status: 415 },
    { type: "application/json; charset=utf-8", status: 404 },
    { type: "Application/JSON", status: 404 },
  ])("of the type $type is answered with $status (HT-18)", async ({ type, status }) => {
    const body = JSON.stringify({ model: "none", messages: [{ role: "user", content: "x" }] });
    expect((await post({ "content-type": type }, body)).statusCode).toBe(status);
  });

  test("that is compressed is refused", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    expect((await post(headers, "{}")).statusCode).toBe(415);
  });

  test("over 1 MiB is refused where no pictures can be", async () => {
    const payload = JSON.stringify({ model_name: "x".repeat(2 * 1024 * 1024) });
    const headers = { "content-type": "application/json" };
    const reply = await app.inject({ method: "POST", url: "/v1/models", headers, payload });
    expect(reply.statusCode).toBe(413);
    expect(reply.json()).toMatchObject({ error: { code: "invalid_request" } });
  });
});

describe("routes", () => {
  test("the probe answers anyone, even a foreign page", async () => {
    const reply = await app.inject({ url: "/health", headers: { origin: "https://evil.example" } });
    expect(reply.json()).toEqual({ status: "ok", version: packageVersion() });
  });

  test("our own page may ask", async () => {
    const headers = { host: "localhost:9997", origin: "http://localhost:9997" };
    expect((await app.inject({ url: "/v1/models", headers })).json()).toEqual({
      object: "list",
      data: [],
    });
  });

  test.each([
    "/ui/../../etc/passwd",
    "/ui/%2e%2e%2f%2e%2e%2fetc/passwd",
    "/ui/..%5c..%5cetc/passwd",
    "/docs/../../package.json",
    "/.env",
    "/.git/config",
    "/main.js.map",
    "/<script>alert(1)</script>",
    "/%3Cimg%20src=x%20onerror=alert(1)%3E",
  ])("%s is not there, in JSON and without its markup (UI-05, UI-08, UI-09)", async (url) => {
    const reply = await app.inject({ url });
    expect(reply.statusCode).toBe(404);
    expect(reply.headers["content-type"]).toMatch(/^application\/json/);
    expect(reply.body).not.toMatch(/[<>]|root:|onerror/);
  });

  test("a wrong method is told the right one", async () => {
    const reply = await app.inject({ url: "/v1/chat/completions" });
    expect(reply.statusCode).toBe(405);
    expect(reply.json().error.message).toBe("This route takes POST, not GET.");
  });

  test.each([
    { body: {}, status: 400, says: /^Invalid input. Please specify the `model_name` field.$/ },
    { body: { model_path: "./relative" }, status: 400, says: /needs an absolute path/ },
    { body: { model_path: "/no/such/dir" }, status: 400, says: /There is no directory dir\./ },
    {
      body: { model_name: "llama-3.2-vision", download: false },
      status: 400,
      says: /^The files of llama-3.2-vision .* are not on this machine/,
      detail:
        /^Model not found, name: llama-3.2-vision, format: None, size: None, quantization: None. The files of /,
    },
    {
      body: { model_name: "llama-3.2-vision", download_hub: "csghub" },
      status: 400,
      says: /"download_hub" is "csghub", which is no hub that is known here; use auto, huggingface, modelscope/,
    },
    {
      body: { model_name: "llama-3.2-visoin" },
      status: 400,
      says: /Did you mean llama-3\.2-vision\?/,
    },
    {
      body: { model_name: "llama-3.2-vision", model_engine: "vLLM", enforce_eager: true },
      status: 400,
      says: /^The engine vLLM (needs an NVIDIA graphics card|runs on Linux)/,
      detail: /^Model llama-3.2-vision cannot be run on engine vLLM. The engine vLLM /,
    },
    {
      body: { model_name: "llama-3.2-vision", model_size_in_billions: "1_8" },
      status: 400,
      says: /its sizes are 11, 90\. The nearest is 11\./,
    },
    {
      body: { model_name: "llama-3.2-vision:90b", quantization: "q4" },
      status: 400,
      says: /choose one of: none, q8_0/,
    },
    {
      body: { model_name: "demo", max_model_len: 1_000_000 },
      status: 400,
      says: /more than the 2048 positions/,
    },
    {
      body: { model_name: "demo", quantization_config: { load_in_4bit: true } },
      status: 400,
      says: /does not support "quantization_config"/,
    },
    ...Object.entries({
      n_worker: 2,
      peft_model_config: { lora_list: [{ lora_name: "a", local_path: "/a" }] },
      envs: { LD_PRELOAD: "/tmp/x.so" },
      enable_thinking: true,
    }).map(([field, value]) => ({
      body: { model_name: "demo", [field]: value },
      status: 400,
      says: new RegExp(`^This version does not support "${field}"\\. Leave it out\\.$`),
    })),
    {
      body: { model_name: "demo", model_type: "embedding" },
      status: 400,
      says: /^Unsupported model type: embedding\. This server runs Llama 3\.2 Vision/,
    },
    {
      body: { model_name: "demo", n_gpu: 0 },
      status: 400,
      says: /`n_gpu` must be greater than 0 and not greater than the number of GPUs/,
    },
    {
      body: { model_name: "demo", gpu_idx: [999] },
      status: 400,
      says: /^`gpu_idx` names the graphics card 999, and this machine has /,
    },
    {
      body: { model_name: "demo", worker_ip: "10.0.0.1" },
      status: 400,
      says: /^Worker ip address 10\.0\.0\.1 is not in the cluster\. .* leave it out\.$/,
    },
    {
      body: { model_name: "demo", max_mdoel_len: 5 },
      status: 400,
      says: /Did you mean max_model_len\?/,
    },
    { body: { model_name: "demo", model_uid: "a/b" }, status: 400, says: /"model_uid"/ },
  ])(
    "a launch of $body is refused with a sentence (CL-05)",
    async ({ body, status, says, ...rest }) => {
      const reply = await app.inject({ method: "POST", url: "/v1/models", payload: body });
      expect(reply.json().error.message).toMatch(says);
      expect(reply.json().detail).toMatch("detail" in rest ? rest.detail : says);
      expect(reply.statusCode).toBe(status);
    },
  );

  test("engines of a model are told, or the nearest name", async () => {
    const reply = await app.inject({ url: "/v1/engines/llama-3.2-vision" });
    expect(reply.statusCode).toBe(200);
    expect(Object.keys(reply.json())).toEqual(["native", "Transformers", "vLLM"]);
    expect(reply.json().native).toHaveLength(2);
    const unknown = await app.inject({ url: "/v1/engines/llama-3.2-visoin" });
    expect(unknown.statusCode).toBe(400);
    expect(unknown.json().error.message).toMatch(/Did you mean llama-3\.2-vision\?/);
  });

  test("terminating what is not there says what is", async () => {
    const reply = await app.inject({ method: "DELETE", url: "/v1/models/gone" });
    expect(reply.statusCode).toBe(400);
    expect(reply.json().detail).toBe(
      'Model not found in the model list, uid: gone. No model is called "gone". None is running: launch one with atalaya launch DIRECTORY.',
    );
  });
});
