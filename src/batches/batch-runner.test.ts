import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../base/logger.ts";
import { theProgram } from "../base/viewer.ts";
import { FileStore } from "../files/file-store.ts";
import { StateDatabase } from "../state/state-database.ts";
import type { BatchRecord } from "./batch-record.ts";
import { BatchRunner, type BatchRunnerParts, type ExecuteLine } from "./batch-runner.ts";
import { BatchStore } from "./batch-store.ts";
import { Turns } from "./turns.ts";

let database: StateDatabase;
let files: FileStore;
let store: BatchStore;
const runners: BatchRunner[] = [];

beforeEach(() => {
  database = StateDatabase.inMemory();
  files = new FileStore(database);
  store = new BatchStore(database);
});
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner[Symbol.asyncDispose]();
  await files[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const echo: ExecuteLine = async ({ body }) => ({ status: 200, requestId: "req-1", body });

function newRunner(parts: Partial<BatchRunnerParts> = {}): BatchRunner {
  const runner = new BatchRunner({
    store,
    files,
    turns: new Turns(async () => ({ slots: 8, numRunning: 0, numWaiting: 0 })),
    execute: echo,
    log: createLogger("silent"),
    retryMs: 1,
    ...parts,
  });
  runners.push(runner);
  return runner;
}

const line = (id: string, fields: object = {}): string =>
  JSON.stringify({
    custom_id: id,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "m", text: id },
    ...fields,
  });

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

async function inputFile(text: string, purpose = "batch"): Promise<string> {
  return (
    await files.create({
      bytes: once(text),
      filename: "in.jsonl",
      owner: "ann",
      notes: { purpose },
    })
  ).id;
}

const begin = async (runner: BatchRunner, text: string): Promise<BatchRecord> =>
  await runner.create(
    {
      endpoint: "/v1/chat/completions",
      inputFileId: await inputFile(text),
      metadata: { note: "n" },
    },
    { owner: "ann", seesAll: false, seesOwnerless: false },
  );

async function ended(id: string): Promise<BatchRecord> {
  for (let wait = 0; wait < 500; wait++) {
    const record = await store.get(id, theProgram);
    if (record !== undefined && /^(completed|failed|expired|cancelled)$/.test(record.status)) {
      return record;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the batch does not end");
}

async function linesOf(fileId: string | undefined): Promise<Record<string, unknown>[]> {
  if (fileId === undefined) return [];
  const all: Buffer[] = [];
  for await (const chunk of await files.read(fileId, theProgram)) all.push(chunk);
  const text = Buffer.concat(all).toString();
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((row) => JSON.parse(row) as Record<string, unknown>);
}

describe("a batch", () => {
  test("is done line by line, and its files are in the order of the input", async () => {
    const execute: ExecuteLine = async (request, options) => {
      const { text } = request.body as { text: string };
      await new Promise((resolve) => setTimeout(resolve, text === "a" ? 50 : 1));
      if (text === "b") {
        return { status: 400, requestId: "req-b", body: { error: { message: "no" } } };
      }
      return await echo(request, options);
    };
    const outcomes: string[] = [];
    const runner = newRunner({ execute, onLine: (outcome) => outcomes.push(outcome) });
    const made = await begin(runner, `${line("a")}\n\n${line("b")}\r\n${line("c")}`);
    expect(made).toMatchObject({ status: "validating", metadata: { note: "n" } });
    expect(made.expiresAt - made.createdAt).toBe(86_400);
    const batch = await ended(made.id);
    expect(batch).toMatchObject({ status: "completed", total: 3, completed: 2, failed: 1 });
    expect(await linesOf(batch.outputFileId)).toMatchObject([
      { custom_id: "a", response: { status_code: 200, body: { text: "a" } }, error: null },
      { custom_id: "c", response: { status_code: 200, request_id: "req-1" }, error: null },
    ]);
    expect(await linesOf(batch.errorFileId)).toMatchObject([
      { custom_id: "b", response: { status_code: 400, body: { error: { message: "no" } } } },
    ]);
    expect(outcomes.toSorted()).toEqual(["200", "200", "400"]);
    expect(await store.doneLines(made.id)).toEqual(new Set());
  });

  test("tries again what may pass, and not for ever", async () => {
    let numTries = 0;
    const execute: ExecuteLine = async ({ body }) => {
      numTries += 1;
      const isDown = (body as { text: string }).text === "down";
      return { status: isDown ? 503 : numTries < 3 ? 429 : 200, requestId: "r", body: {} };
    };
    const runner = newRunner({ execute });
    const good = await ended((await begin(runner, line("up"))).id);
    expect(good).toMatchObject({ completed: 1, failed: 0 });
    expect(numTries).toBe(3);
    numTries = 0;
    const bad = await ended((await begin(runner, line("down"))).id);
    expect(bad).toMatchObject({ completed: 0, failed: 1 });
    expect(numTries).toBe(5);
  });

  test("keeps to its turns", async () => {
    let [underWay, most] = [0, 0];
    const execute: ExecuteLine = async ({ body }) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setTimeout(resolve, 3));
      underWay -= 1;
      return { status: 200, requestId: "r", body };
    };
    const turns = new Turns(async () => ({ slots: 4, numRunning: underWay, numWaiting: 0 }));
    const lines = Array.from({ length: 20 }, (_, index) => line(`${index}`)).join("\n");
    const runner = newRunner({ execute, turns });
    expect(await ended((await begin(runner, lines)).id)).toMatchObject({ completed: 20 });
    expect(most).toBe(2);
  });
});

describe("input that cannot be used", () => {
  test.each([
    { why: "nothing", text: "\n\n", code: "empty_file", at: undefined },
    { why: "no JSON", text: `${line("a")}\n{`, code: "invalid_json_line", at: 2 },
    { why: "no custom_id", text: line("", {}), code: "invalid_line", at: 1 },
    { why: "another method", text: line("a", { method: "GET" }), code: "invalid_line", at: 1 },
    { why: "no body", text: line("a", { body: 7 }), code: "invalid_line", at: 1 },
    {
      why: "another endpoint",
      text: line("a", { url: "/v1/../admin" }),
      code: "mismatched_url",
      at: 1,
    },
    {
      why: "an id twice",
      text: `${line("a")}\n${line("a")}`,
      code: "duplicate_custom_id",
      at: 2,
    },
    {
      why: "a stream",
      text: line("a", { body: { model: "m", stream: true } }),
      code: "invalid_line",
      at: 1,
    },
  ])("fails the batch before any line is done: $why", async ({ text, code, at }) => {
    let numDone = 0;
    const execute: ExecuteLine = async (request, options) => {
      numDone += 1;
      return await echo(request, options);
    };
    const batch = await ended((await begin(newRunner({ execute }), text)).id);
    expect(batch.status).toBe("failed");
    expect(batch.errors).toMatchObject([{ code, ...(at === undefined ? {} : { line: at }) }]);
    expect(numDone).toBe(0);
  });

  test("is a file that is not there, or was sent for something else", async () => {
    const runner = newRunner();
    const wish = { endpoint: "/v1/responses", metadata: {} } as const;
    await expect(
      runner.create({ ...wish, inputFileId: "file-x" }, theProgram),
    ).rejects.toMatchObject({
      code: "not_found",
    });
    const picture = await inputFile("x", "vision");
    await expect(runner.create({ ...wish, inputFileId: picture }, theProgram)).rejects.toThrow(
      /Send it again with the purpose "batch"/,
    );
  });

  test("is a file that is deleted under way", async () => {
    const made = await store.add({
      id: "batch_gone",
      owner: null,
      endpoint: "/v1/chat/completions",
      inputFileId: "file-gone",
      status: "in_progress",
      metadata: {},
      errors: [],
      total: 1,
      completed: 0,
      failed: 0,
      createdAt: 0,
      expiresAt: Math.floor(Date.now() / 1_000) + 60,
      times: {},
    });
    expect(made).toBeUndefined();
    await newRunner().resume();
    expect(await ended("batch_gone")).toMatchObject({
      status: "failed",
      errors: [{ code: "not_found" }],
    });
  });
});

/** Answers the first `count` lines, and then nothing any more. */
function stuckAfter(count: number): { execute: ExecuteLine; done: string[] } {
  const done: string[] = [];
  const execute: ExecuteLine = async (request, { signal, owner }) => {
    const { text } = request.body as { text: string };
    if (done.length >= count) {
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    }
    done.push(text);
    return await echo(request, { signal, owner });
  };
  return { execute, done };
}

const five = ["a", "b", "c", "d", "e"].map((id) => line(id)).join("\n");

async function untilDone(id: string, count: number): Promise<void> {
  for (let wait = 0; wait < 500; wait++) {
    if ((await store.doneLines(id)).size >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("the lines are not done");
}

describe("a batch that is stopped", () => {
  test("by the server's end goes on at the next start, and does no finished line twice", async () => {
    const first = stuckAfter(2);
    const before = newRunner({ execute: first.execute });
    const { id } = await begin(before, five);
    await untilDone(id, 2);
    expect(await before.get(id, theProgram)).toMatchObject({
      status: "in_progress",
      completed: 2,
      total: 5,
    });
    await before[Symbol.asyncDispose]();
    const second = stuckAfter(99);
    await newRunner({ execute: second.execute }).resume();
    const batch = await ended(id);
    expect(batch).toMatchObject({ status: "completed", completed: 5, failed: 0 });
    expect([...first.done, ...second.done].toSorted()).toEqual(["a", "b", "c", "d", "e"]);
    expect((await linesOf(batch.outputFileId)).map(({ custom_id }) => custom_id)).toEqual([
      "a",
      "b",
      "c",
      "d",
      "e",
    ]);
  });

  test("while its files were written makes them once", async () => {
    const { id } = await begin(newRunner(), five);
    const done = await ended(id);
    // As a kill between the files and the last word would leave it.
    const again: BatchRecord = { ...done, status: "finalizing" };
    await store.update(again);
    for (const [at, row] of (await linesOf(done.outputFileId)).entries()) {
      await store.addResult(id, { line: at, isGood: true, result: JSON.stringify(row) });
    }
    await newRunner({
      execute: async () => await Promise.reject(new Error("nothing is left to do")),
    }).resume();
    for (
      let wait = 0;
      (await store.get(id, theProgram))?.status !== "completed" && wait < 500;
      wait++
    ) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const batch = await ended(id);
    expect(batch.outputFileId).toBe(done.outputFileId);
    expect(await linesOf(batch.outputFileId)).toHaveLength(5);
    const { files: all } = await files.list({
      viewer: theProgram,
      purpose: "batch_output",
      limit: 10,
      order: "asc",
    });
    expect(all).toHaveLength(1);
  });

  test("by its owner keeps what is done", async () => {
    const stuck = stuckAfter(2);
    const runner = newRunner({ execute: stuck.execute });
    const { id } = await begin(runner, five);
    await untilDone(id, 2);
    expect(await runner.cancel(id, theProgram)).toMatchObject({ status: "cancelling" });
    const batch = await ended(id);
    expect(batch).toMatchObject({ status: "cancelled", completed: 2, failed: 0 });
    expect(await linesOf(batch.outputFileId)).toHaveLength(2);
    await expect(runner.cancel(id, theProgram)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(runner.cancel("batch_none", theProgram)).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("by the end of its day tells of each line that was not reached", async () => {
    const stuck = stuckAfter(2);
    const runner = newRunner({ execute: stuck.execute });
    const { id } = await begin(runner, five);
    await untilDone(id, 2);
    await runner[Symbol.asyncDispose]();
    const later = (): number => Date.now() + 25 * 60 * 60 * 1_000;
    await newRunner({ execute: stuck.execute, now: later }).resume();
    const batch = await ended(id);
    expect(batch).toMatchObject({ status: "expired", completed: 2, failed: 3 });
    expect(await linesOf(batch.errorFileId)).toMatchObject([
      { custom_id: "c", response: null, error: { code: "batch_expired" } },
      { custom_id: "d" },
      { custom_id: "e" },
    ]);
  });
});

describe("a batch's owner", () => {
  const ann = { owner: "ann", seesAll: false, seesOwnerless: false };
  const bob = { ...ann, owner: "bob" };

  test("is asked for each line, after a restart too, and owns its files; nobody else finds anything", async () => {
    const first = stuckAfter(1);
    const before = newRunner({ execute: first.execute });
    const { id } = await begin(before, five);
    await untilDone(id, 1);
    await expect(before.get(id, bob)).rejects.toMatchObject({ code: "not_found" });
    await expect(before.cancel(id, bob)).rejects.toMatchObject({ code: "not_found" });
    await before[Symbol.asyncDispose]();
    const askers = new Set<unknown>();
    const execute: ExecuteLine = async (request, options) => {
      askers.add(options.owner);
      return await echo(request, options);
    };
    await newRunner({ execute }).resume();
    const { outputFileId = "" } = await ended(id);
    expect([...askers]).toEqual(["ann"]);
    expect(await files.get(outputFileId, ann)).toMatchObject({ purpose: "batch_output" });
    await expect(files.get(outputFileId, bob)).rejects.toMatchObject({ code: "not_found" });
    const list = async (viewer: typeof ann, after?: string): Promise<string[]> =>
      (await store.list({ viewer, after, limit: 9 })).batches.map((batch) => batch.id);
    expect(await list(ann)).toEqual([id]);
    expect(await list(bob)).toEqual([]);
    const other = { ...(await ended(id)), id: "batch_other", owner: "bob" };
    await store.add(other);
    expect(await list(ann, "batch_other")).toEqual([]);
    expect(await list({ ...bob, seesAll: true }, "batch_other")).toEqual([id]);
  });

  test("that may ask so many in a minute is waited for; one whose day is spent is not", async () => {
    const numTries = { soon: 0, tomorrow: 0 };
    const execute: ExecuteLine = async (request, options) => {
      const { text } = request.body as { text: "soon" | "tomorrow" };
      numTries[text] += 1;
      // More often than a fault would be tried.
      if (text === "soon" && numTries.soon > 8) return await echo(request, options);
      const limitedForSeconds = text === "soon" ? 0.01 : 3_600;
      return { status: 429, requestId: "r", body: {}, limitedForSeconds };
    };
    const batch = await ended(
      (await begin(newRunner({ execute }), `${line("soon")}\n${line("tomorrow")}`)).id,
    );
    expect(batch).toMatchObject({ status: "completed", completed: 1, failed: 1 });
    expect(numTries).toEqual({ soon: 9, tomorrow: 1 });
    expect(await linesOf(batch.errorFileId)).toMatchObject([
      { custom_id: "tomorrow", response: { status_code: 429 }, error: null },
    ]);
  });
});

test("batches are listed, the newest first, page by page", async () => {
  const runner = newRunner();
  const ids: string[] = [];
  for (let count = 0; count < 3; count++) ids.push((await begin(runner, line("a"))).id);
  for (const id of ids) await ended(id);
  const [a, b, c] = ids;
  const first = await store.list({ viewer: theProgram, limit: 2 });
  expect(first.batches.map(({ id }) => id)).toEqual([c, b]);
  expect(first.hasMore).toBe(true);
  const rest = await store.list({ viewer: theProgram, limit: 2, after: b });
  expect(rest.batches.map(({ id }) => id)).toEqual([a]);
  expect(rest.hasMore).toBe(false);
});
