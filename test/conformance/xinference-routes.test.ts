/** The table of Xinference's routes, walked: each is there, with its status, its form, and `detail` when it refuses. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

let server: FakeServer;
beforeAll(async () => {
  server = await serveFakeEngine("ab");
});
afterAll(async () => await server[Symbol.asyncDispose]());

type Row = readonly [route: string, status: number, form: unknown, body?: unknown];

const detail = { detail: expect.any(String), error: { code: expect.any(String) } };
const address = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
const none = "/v1/models/nobody";
const inTheList = {
  detail: expect.stringMatching(/^Model not found in the model list, uid: nobody\./),
};

const rows: readonly Row[] = [
  ["GET /status", 200, { uptime: expect.any(Number), workers: {} }],
  ["GET /v1/address", 200, address],
  ["GET /v1/cluster/ui_config", 200, { token_router_enabled: false }],
  ["GET /v1/cluster/version", 200, { version: "3.2.1" }],
  ["GET /v1/cluster/info", 200, [{ node_type: "Supervisor" }, { node_type: "Worker" }]],
  ["GET /v1/cluster/info?detailed=true", 200, [{}, { mem_total: expect.any(Number) }]],
  ["GET /v1/cluster/devices", 200, expect.any(Number)],
  ["GET /v1/workers", 200, [{ "work-ip": address, models: ["fake"] }]],
  ["GET /v1/supervisor", 200, { supervisor_ip: address }],
  ["DELETE /v1/clusters", 403, detail],
  ["GET /v1/models/prompts", 200, {}],
  [
    "GET /v1/models/families",
    200,
    { generate: ["llama-3.2-vision"], tools: ["llama-3.2-vision-instruct"], hybrid: [] },
  ],
  ["GET /v1/models/vllm-supported", 200, { chat: expect.any(Array), generate: expect.any(Array) }],
  ["GET /v1/engines/llama-3.2-vision", 200, { native: expect.any(Array) }],
  ["GET /v1/engines/LLM/llama-3.2-vision", 200, { native: expect.any(Array) }],
  ["GET /v1/engines/nobody", 400, detail],
  ["GET /v1/models", 200, { data: [{ id: "fake", model_type: "LLM", replica: 1, address }] }],
  ["GET /v1/models/fake", 200, { model_type: "LLM", model_ability: ["chat", "vision", "tools"] }],
  [`GET ${none}`, 404, inTheList],
  ["POST /v1/models", 400, { detail: "Invalid input. Please specify the `model_name` field." }, {}],
  [
    "POST /v1/models",
    400,
    { detail: expect.stringMatching(/got a boolean\.$/) },
    { model_name: "demo", replica: true },
  ],
  [
    "POST /v1/models",
    400,
    { detail: expect.stringMatching(/got a float\.$/) },
    { model_name: "demo", replica: 1.5 },
  ],
  [
    "POST /v1/models",
    400,
    { detail: expect.stringMatching(/must be a valid integer\.$/) },
    { model_name: "demo", replica: "x" },
  ],
  [
    "POST /v1/models",
    400,
    { detail: "Invalid input. Allocated gpu must be a multiple of replica." },
    { model_name: "demo", replica: 2, gpu_idx: [0] },
  ],
  [
    "POST /v1/models",
    400,
    { detail: "Currently `n_gpu` only supports `auto`." },
    { model_name: "demo", n_gpu: "all" },
  ],
  [
    "POST /v1/models",
    400,
    { detail: "The `request_limits` parameter must be greater or equal than 0." },
    { model_name: "demo", request_limits: -1 },
  ],
  [
    "POST /v1/models",
    400,
    { detail: expect.stringMatching(/is not in the cluster/) },
    { model_name: "demo", worker_ip: "10.0.0.1" },
  ],
  [
    "POST /v1/models",
    400,
    { detail: expect.stringMatching(/^Model is already in the model list, uid: fake\./) },
    { model_name: "demo", model_uid: "fake" },
  ],
  ["POST /v1/models/instance", 400, detail, { model_version: "nonsense" }],
  ["GET /v1/models/instances", 200, [{ model_uid: "fake", status: "READY", replica: 1 }]],
  ["GET /v1/models/instances?model_uid=nobody", 200, []],
  [`DELETE ${none}`, 400, inTheList],
  ["GET /v1/models/fake/progress", 200, { progress: 1 }],
  [`GET ${none}/progress`, 200, { progress: 0, stage: "pending", replicas: [] }],
  [
    `POST ${none}/cancel`,
    400,
    { detail: expect.stringMatching(/^Model nobody has not been launched yet/) },
  ],
  ["POST /v1/models/fake/cancel", 400, detail],
  ["GET /v1/models/fake/events", 200, [{ event_type: "INFO", event_content: "Launch model" }, {}]],
  [
    "GET /v1/models/fake/replicas",
    200,
    [{ replica_id: 0, replica_model_uid: "fake-rep0", status: "READY", error_message: null }],
  ],
  [`GET ${none}/replicas`, 400, inTheList],
  [`POST ${none}/replicas`, 400, inTheList, {}],
  ["DELETE /v1/models/fake/replicas/7", 400, detail],
  ["POST /v1/models/fake/requests/x/abort", 200, { msg: "NOT_FOUND" }, { block_duration: 1 }],
  ["GET /v1/requests/x/progress", 200, { progress: 0 }],
  [
    "GET /v1/models/LLM/llama-3.2-vision/versions",
    200,
    [{ model_version: "llama-3.2-vision--11B--pytorch--none" }, {}],
  ],
  ["GET /v1/models/LLM/nobody/versions", 200, []],
  ["GET /v1/model_registrations/embedding", 200, []],
  [
    "GET /v1/model_registrations/LLM?detailed=true",
    200,
    expect.arrayContaining([
      expect.objectContaining({
        model_name: "llama-3.2-vision",
        download_hubs: ["huggingface", "modelscope"],
      }),
    ]),
  ],
  [
    "GET /v1/model_registrations/LLM/nobody",
    400,
    { detail: expect.stringMatching(/^Model nobody not found\./) },
  ],
  ["POST /v1/model_registrations/rerank", 400, detail, { model: "{}", persist: false }],
  ["POST /v1/model_registrations/LLM", 400, detail, { model: "no JSON", persist: false }],
  ["DELETE /v1/model_registrations/LLM/nobody", 400, detail],
  ["POST /v1/models/update_type", 400, detail, {}],
  [
    "GET /v1/autostart/models",
    200,
    { models: [{ model_uid: "fake", state: { instance_status: "READY" } }] },
  ],
  ["GET /v1/autostart/models/summary", 200, { models: [{ enabled: true, model_uid: "fake" }] }],
  ["POST /v1/autostart/models", 400, detail, { launch: { model_name: "nobody" } }],
  [
    "POST /v1/autostart/models",
    200,
    { models: [{ model_uid: "fake", priority: 7, launch: { api_key: "******" } }] },
    { launch: { model_uid: "fake", api_key: "sk-very-secret" }, priority: 7 },
  ],
  ["POST /v1/autostart/models", 400, detail, { launch: { model_name: "demo" }, priority: "high" }],
  ["DELETE /v1/autostart/models/nobody", 200, { models: [{ model_uid: "fake" }] }],
  ["POST /v1/launch_history", 200, { status: "ok" }, { model_name: "m", model_uid: "u", data: {} }],
  ["GET /v1/launch_history", 200, [{ model_name: "m", model_uid: "u", data: {} }]],
  ["DELETE /v1/launch_history/m/u", 200, { status: "ok" }],
  ["DELETE /v1/launch_history/m", 404, { detail: "Record not found" }],
  ["GET /v1/audit/search?model=fake&limit=1", 200, { records: [{ event: "model-loaded" }] }],
  ["GET /v1/audit/search?status=500", 400, detail],
  ["GET /v1/admin/security/banned-ips", 200, { banned_ips: [] }],
  ["GET /v1/cache/models", 200, { list: expect.any(Array) }],
  ["GET /v1/cache/models/files?model_version=x", 200, { model_version: "x", paths: [] }],
  ["DELETE /v1/cache/models?model_version=x", 200, { result: false }],
  ["GET /v1/virtualenvs", 200, { list: [] }],
  ["DELETE /v1/virtualenvs", 200, { result: false }],
  ["POST /v1/completions", 404, detail, { model: "nobody", prompt: "a" }],
  ["POST /v1/completions", 400, detail, { prompt: "a" }],
  [
    "POST /v1/chat/completions",
    404,
    detail,
    { model: "nobody", messages: [{ role: "user", content: "a" }] },
  ],
  ["POST /v1/chat/completions", 400, detail, { model: "fake", messages: [] }],
  ["GET /v1/cluster/logs", 400, detail],
  ["GET /v1/cluster/monitor_config", 400, detail],
  ["GET /v1/cluster/logs/context", 400, detail],
  ["PUT /v1/cluster/monitor_config", 400, detail],
  ["POST /v1/models/llm/auto-register", 400, detail, {}],
  ["POST /v1/models/fake/reload", 400, detail, {}],
  ["GET /v1/models/fake/reload", 400, detail],
  ["POST /v1/ui/fake", 400, detail, {}],
  ["POST /v1/convert_ids_to_tokens", 400, detail, {}],
  ["POST /v1/flexible/infers", 404, { detail: expect.any(String) }, { model: "fake" }],
  ["POST /v1/images/generations", 404, { detail: expect.any(String) }, {}],
  ["POST /v1/rerank", 400, { detail: expect.any(String) }, { model: "fake" }],
];

test.for(rows)("%s is answered with %i", async ([route, status, form, body]) => {
  const [method = "", path = ""] = route.split(" ");
  const reply = await fetch(server.url + path, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  // Inside an object, since some answers are none.
  expect({ answer: await reply.json() }).toMatchObject({ answer: form });
  expect(reply.status).toBe(status);
});
