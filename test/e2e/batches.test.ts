/** A batch survives the server's death: the shipped program, killed in the middle and started again. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { killAll, Program, requireBuild } from "../support/program.ts";

const numLines = 16;
let home: string;

beforeAll(async () => {
  requireBuild();
  home = await mkdtemp(join(tmpdir(), "atalaya-e2e-"));
});
afterAll(async () => {
  killAll();
  await rm(home, { recursive: true, force: true });
});

async function start(): Promise<{ program: Program; url: string; client: OpenAI }> {
  const args = ["serve", "demo", "--port", "0", "--max-num-seqs", "2"];
  const program = new Program(args, { ATALAYA_HOME: home });
  const url = await program.says(/Serving at (http:\S+)\/v1/);
  await program.says(/demo is ready/);
  return {
    program,
    url,
    client: new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 }),
  };
}

const lines = Array.from({ length: numLines }, (_, id) =>
  JSON.stringify({
    custom_id: `line-${id}`,
    method: "POST",
    url: "/v1/chat/completions",
    body: {
      model: "demo",
      messages: [{ role: "user", content: "What do you see?" }],
      max_tokens: 20,
      temperature: 0,
    },
  }),
).join("\n");

test("killed in the middle, it goes on after the next start and does nothing twice", async () => {
  const first = await start();
  const file = await first.client.files.create({
    file: await toFile(Buffer.from(lines), "lines.jsonl"),
    purpose: "batch",
  });
  const { id } = await first.client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
  let numDone = 0;
  while (numDone < 3) {
    await sleep(20);
    numDone = (await first.client.batches.retrieve(id)).request_counts?.completed ?? 0;
  }
  first.program.child.kill("SIGKILL");
  await first.program.ended;

  const second = await start();
  const atStart = await second.client.batches.retrieve(id);
  const numKept = atStart.request_counts?.completed ?? 0;
  expect(numKept).toBeGreaterThanOrEqual(numDone);
  let batch = atStart;
  for (let wait = 0; batch.status !== "completed" && wait < 600; wait++) {
    await sleep(100);
    batch = await second.client.batches.retrieve(id);
  }
  expect(batch).toMatchObject({
    status: "completed",
    request_counts: { total: numLines, completed: numLines, failed: 0 },
  });
  const output = await (await second.client.files.content(batch.output_file_id ?? "")).text();
  const ids = output
    .trimEnd()
    .split("\n")
    .map((row) => JSON.parse(row).custom_id as string);
  expect(ids).toEqual(Array.from({ length: numLines }, (_, line) => `line-${line}`));
  const metrics = await (await fetch(`${second.url}/metrics`)).text();
  const numDoneHere = Number(/atalaya_batch_lines_total\{outcome="200"\} (\d+)/.exec(metrics)?.[1]);
  // What was kept was not done again. Some may have been done between the start and the first look.
  expect(numDoneHere).toBeLessThanOrEqual(numLines - numDone);
  expect(numDoneHere).toBeGreaterThanOrEqual(numLines - numKept);
  second.program.child.kill("SIGTERM");
  expect((await second.program.ended).exitCode).toBe(0);
}, 180_000);
