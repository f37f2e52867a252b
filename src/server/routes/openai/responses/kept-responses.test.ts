import type { ResponseObject } from "@atalaya/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StateDatabase } from "../../../../state/state-database.ts";
import { KeptResponses, Responses } from "./kept-responses.ts";
import { RecentResponses } from "./recent-responses.ts";
import type { StoredResponse } from "./response-store.ts";

const response = (id: string, fields: Partial<ResponseObject> = {}): ResponseObject => ({
  id,
  object: "response",
  created_at: 1_700_000_000,
  completed_at: null,
  status: "completed",
  background: false,
  error: null,
  incomplete_details: null,
  instructions: null,
  max_output_tokens: null,
  metadata: {},
  model: "m",
  output: [
    {
      type: "message",
      id: `out_${id}`,
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text: "hi", annotations: [], logprobs: [] }],
    },
  ],
  parallel_tool_calls: true,
  previous_response_id: null,
  reasoning: { effort: null, summary: null },
  service_tier: "default",
  store: true,
  temperature: 0,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: "disabled",
  usage: null,
  user: null,
  ...fields,
});

const stored = (
  id: string,
  fields: Partial<ResponseObject> = {},
  text = "hello",
): StoredResponse => ({
  response: response(id, fields),
  input: [{ id: `in_${id}`, text }],
});

let database: StateDatabase;
let now = 1_700_000_000_000;
beforeEach(() => {
  database = StateDatabase.inMemory();
  now = 1_700_000_000_000;
});
afterEach(async () => await database[Symbol.asyncDispose]());

const open = (maxBytes = 1_000_000): KeptResponses =>
  new KeptResponses(database, { maxBytes, now: () => now });

describe("responses on the disk", () => {
  test("are there for the next server, with their items", async () => {
    await open().put(stored("a"));
    const next = open();
    expect(await next.get("a")).toEqual(stored("a"));
    expect(await next.findItem("in_a")).toEqual({ id: "in_a", text: "hello" });
    expect(await next.findItem("out_a")).toMatchObject({ role: "assistant" });
    expect(await next.get("b")).toBeUndefined();
    expect(await next.findItem("in_b")).toBeUndefined();
  });

  test("have failed when the server ended before they did", async () => {
    await open().put(stored("a", { status: "in_progress", output: [] }));
    expect((await open().get("a"))?.response).toMatchObject({
      status: "failed",
      error: { message: "The server ended before the answer did." },
    });
  });

  test("change, until they are deleted, and then nothing is left of them", async () => {
    const kept = open();
    await kept.put(stored("a", { status: "in_progress", output: [] }));
    expect(await kept.update(response("a"))).toBe(true);
    expect((await kept.get("a"))?.response.status).toBe("completed");
    expect(await kept.findItem("out_a")).toBeDefined();
    expect(await kept.delete("a")).toBe(true);
    expect(await kept.update(response("a"))).toBe(false);
    expect(await kept.get("a")).toBeUndefined();
    expect(await kept.findItem("in_a")).toBeUndefined();
    expect(await kept.delete("a")).toBe(false);
  });

  test("are forgotten after 30 days, and the oldest when they are too large together", async () => {
    const kept = open(10_000);
    await kept.put(stored("old"));
    now += 30 * 24 * 60 * 60 * 1_000;
    expect(await kept.get("old")).toBeUndefined();
    const created_at = Math.floor(now / 1_000);
    for (let count = 0; count < 20; count++) {
      await kept.put(stored(`r${count}`, { created_at: created_at + count }, "x".repeat(500)));
    }
    expect(await kept.get("r0")).toBeUndefined();
    expect(await kept.get("r19")).toBeDefined();
  });
});

test("only what was to be stored goes onto the disk; both are found", async () => {
  const kept = open();
  const both = new Responses({ kept, recent: new RecentResponses() });
  await both.put(stored("memory"));
  await both.put(stored("disk"), { onDisk: true });
  expect(await kept.get("memory")).toBeUndefined();
  for (const id of ["memory", "disk"]) {
    expect((await both.get(id))?.response.id).toBe(id);
    expect(await both.findItem(`in_${id}`)).toBeDefined();
    expect(await both.update(response(id, { status: "failed" }))).toBe(true);
    expect((await both.get(id))?.response.status).toBe("failed");
    expect(await both.delete(id)).toBe(true);
    expect(await both.get(id)).toBeUndefined();
  }
});
