import type { ResponseObject } from "@atalaya/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { theProgram, type Viewer } from "../../../../base/viewer.ts";
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
  owner: null,
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
    expect(await next.get("a", theProgram)).toEqual(stored("a"));
    expect(await next.findItem("in_a", theProgram)).toEqual({ id: "in_a", text: "hello" });
    expect(await next.findItem("out_a", theProgram)).toMatchObject({ role: "assistant" });
    expect(await next.get("b", theProgram)).toBeUndefined();
    expect(await next.findItem("in_b", theProgram)).toBeUndefined();
  });

  test("have failed when the server ended before they did", async () => {
    await open().put(stored("a", { status: "in_progress", output: [] }));
    expect((await open().get("a", theProgram))?.response).toMatchObject({
      status: "failed",
      error: { message: "The server ended before the answer did." },
    });
  });

  test("change, until they are deleted, and then nothing is left of them", async () => {
    const kept = open();
    await kept.put(stored("a", { status: "in_progress", output: [] }));
    expect(await kept.update(response("a"))).toBe(true);
    expect((await kept.get("a", theProgram))?.response.status).toBe("completed");
    expect(await kept.findItem("out_a", theProgram)).toBeDefined();
    expect(await kept.delete("a", theProgram)).toBe(true);
    expect(await kept.update(response("a"))).toBe(false);
    expect(await kept.get("a", theProgram)).toBeUndefined();
    expect(await kept.findItem("in_a", theProgram)).toBeUndefined();
    expect(await kept.delete("a", theProgram)).toBe(false);
  });

  test("are forgotten after 30 days, and the oldest when they are too large together", async () => {
    const kept = open(10_000);
    await kept.put(stored("old"));
    now += 30 * 24 * 60 * 60 * 1_000;
    expect(await kept.get("old", theProgram)).toBeUndefined();
    const created_at = Math.floor(now / 1_000);
    for (let count = 0; count < 20; count++) {
      await kept.put(stored(`r${count}`, { created_at: created_at + count }, "x".repeat(500)));
    }
    expect(await kept.get("r0", theProgram)).toBeUndefined();
    expect(await kept.get("r19", theProgram)).toBeDefined();
  });
});

test("only what was to be stored goes onto the disk; both are found", async () => {
  const kept = open();
  const both = new Responses({ kept, recent: new RecentResponses() });
  await both.put(stored("memory"));
  await both.put(stored("disk"), { onDisk: true });
  expect(await kept.get("memory", theProgram)).toBeUndefined();
  for (const id of ["memory", "disk"]) {
    expect((await both.get(id, theProgram))?.response.id).toBe(id);
    expect(await both.findItem(`in_${id}`, theProgram)).toBeDefined();
    expect(await both.update(response(id, { status: "failed" }))).toBe(true);
    expect((await both.get(id, theProgram))?.response.status).toBe("failed");
    expect(await both.delete(id, theProgram)).toBe(true);
    expect(await both.get(id, theProgram)).toBeUndefined();
  }
});

describe("of two who keep responses", () => {
  const ann: Viewer = { owner: "ann", seesAll: false, seesOwnerless: false };
  const bob: Viewer = { ...ann, owner: "bob" };
  const root: Viewer = { owner: "root", seesAll: true, seesOwnerless: true };

  test.each([true, false])("each finds its own alone, on disk: %s", async (onDisk) => {
    const both = new Responses({
      kept: new KeptResponses(database, { now: () => now }),
      recent: new RecentResponses(),
    });
    const put = async (id: string, owner: string | null, text: string): Promise<void> =>
      await both.put({ ...stored(id), owner, input: [{ id: "in", text }] }, { onDisk });
    await put("b", "bob", "bobs");
    await put("a", "ann", "anns");
    await put("r", "root", "roots");
    await put("n", null, "nobodys");
    expect(await both.get("b", ann)).toBeUndefined();
    expect(await both.get("n", ann)).toBeUndefined();
    expect(await both.get("n", { ...ann, seesOwnerless: true })).toBeDefined();
    expect(await both.delete("b", ann)).toBe(false);
    // Clients choose the names of what they send: whoever sees all means its own first.
    expect(await both.findItem("in", ann)).toMatchObject({ text: "anns" });
    expect(await both.findItem("in", bob)).toMatchObject({ text: "bobs" });
    expect(await both.findItem("in", root)).toMatchObject({ text: "roots" });
    expect(await both.findItem("out_b", ann)).toBeUndefined();
    expect(await both.findItem("out_b", root)).toBeDefined();
    expect(await both.delete("b", root)).toBe(true);
    expect(await both.get("b", bob)).toBeUndefined();
  });

  test("what is only referred to is found where it was said", async () => {
    const kept = new KeptResponses(database, { now: () => now });
    await kept.put({ ...stored("b"), owner: "ann" });
    const reference = { id: "in_b", type: "item_reference" };
    await kept.put({ ...stored("a"), owner: "ann", input: [reference] });
    expect(await kept.findItem("in_b", ann)).toEqual({ id: "in_b", text: "hello" });
  });
});
