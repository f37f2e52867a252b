/** The numbers of a checkpoint, read from the heads of its files where they are. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readCheckpointFacts, shapeOfRemote } from "../../src/engines/model-shape.ts";
import { goldenCheckpoint } from "../support/golden.ts";
import type { FaultAction } from "../support/hub/faults.ts";
import { loginPage } from "../support/hub/faults.ts";
import { TestClient } from "../support/hub/pull-from.ts";
import type { HubFile } from "../support/hub/repo-content.ts";
import { checkpointFiles } from "../support/hub/shell.ts";
import { TestHub } from "../support/hub/test-hub.ts";
import { tinyCheckpoint } from "../support/serve.ts";

let hub: TestHub;
let client: TestClient;
beforeEach(async () => {
  hub = await TestHub.start();
  client = await TestClient.for(hub);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

async function shapeThere(hubName: "huggingface" | "modelscope" = "huggingface") {
  const { signal } = new AbortController();
  return await (await client.open()).inspect(
    { repo: "a/b", hub: hubName, revision: undefined, signal },
    async (files) =>
      await shapeOfRemote({
        name: files.repo,
        sizes: files.sizes,
        read: async (name, start, end) => await files.read(name, start, end),
      }),
  );
}

test.each([
  { name: "tiny-a", why: "one file" },
  { name: "tiny-a-v5-f16", why: "shards, and newer names" },
  { name: "tiny-b", why: "another form" },
])("of $name ($why) is what the checkpoint itself says", async ({ name }) => {
  const directory = goldenCheckpoint(name);
  hub.addRepo("a/b", await checkpointFiles(directory));
  expect(await shapeThere()).toEqual((await readCheckpointFacts(directory)).shape);
  expect(await shapeThere("modelscope")).toEqual((await readCheckpointFacts(directory)).shape);
});

test("asks for the heads of files alone", async () => {
  const files = await checkpointFiles();
  hub.addRepo("a/b", files);
  await shapeThere();
  const weights = files.find(({ path }) => path.endsWith(".safetensors"));
  expect(weights?.bytes.length).toBeGreaterThan(1_000_000);
  expect(hub.requests("cdn").map(({ range }) => range)).toEqual(["bytes=0-131071"]);
  expect(hub.sentBytes("model.safetensors")).toBeLessThanOrEqual(131_072);
  expect(hub.sentBytes("tokenizer.json")).toBe(0);
});

/** The checkpoint with another head of its weights. */
function withHead(files: readonly HubFile[], head: string, length = head.length): HubFile[] {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length));
  return files.map((file) =>
    file.path === "model.safetensors"
      ? { ...file, bytes: Buffer.concat([prefix, Buffer.from(head), Buffer.alloc(4_096)]) }
      : file,
  );
}

describe("a checkpoint that lies", () => {
  const tensor = { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] };
  test.each([
    {
      why: "of a huge header (MF-01)",
      head: "{}",
      length: 2 ** 40,
      says: /its header claims 1099511627776 bytes in a file/,
    },
    { why: "of no JSON", head: "{]", says: /is no JSON table/ },
    {
      why: "of tensors beyond its end",
      head: JSON.stringify({ x: { ...tensor, data_offsets: [0, 99_999] } }),
      says: /needs 16 bytes and has 99999/,
    },
    {
      why: "of tensors that leave a hole",
      head: JSON.stringify({ x: { ...tensor, data_offsets: [16, 32] } }),
      says: /leaves a hole/,
    },
    {
      why: "of the same name twice",
      head: `{"x": ${JSON.stringify(tensor)}, "x": ${JSON.stringify(tensor)}}`,
      says: /is no JSON table/,
    },
    {
      why: "of tensors of another model",
      head: JSON.stringify({ x: { dtype: "U8", shape: [4_096], data_offsets: [0, 4_096] } }),
      says: /do not fit config\.json/,
    },
  ])("$why is refused", async ({ head, length, says }) => {
    hub.addRepo("a/b", withHead(await checkpointFiles(), head, length));
    await expect(shapeThere()).rejects.toThrow(
      expect.objectContaining({ code: "corrupt_model_file", message: expect.stringMatching(says) }),
    );
    expect(hub.sentBytes()).toBeLessThan(300_000);
  });

  test.each([
    {
      why: "an index that leads elsewhere (MF-07)",
      index: { weight_map: { x: "../../etc/passwd" } },
      says: /no plain name of a safetensors file/,
    },
    {
      why: "an index of a file that is not there",
      index: { weight_map: { x: "model-9.safetensors" } },
      says: /model-9\.safetensors is missing/,
    },
    {
      why: "an index without end",
      index: { weight_map: "x".repeat(5_000_000) },
      says: /has 50000\d+ bytes, and at most 4194304 are read/,
    },
  ])("by $why is refused", async ({ index, says }) => {
    const others = (await checkpointFiles()).filter(({ path }) => !path.endsWith(".safetensors"));
    const bytes = Buffer.from(JSON.stringify(index));
    hub.addRepo("a/b", [...others, { path: "model.safetensors.index.json", bytes, isLfs: false }]);
    await expect(shapeThere()).rejects.toThrow(says);
  });

  test("or has pickles alone is refused (MF-10)", async () => {
    const others = (await checkpointFiles()).filter(({ path }) => !path.endsWith(".safetensors"));
    const pickle = { path: "pytorch_model.bin", bytes: Buffer.alloc(100), isLfs: true };
    hub.addRepo("a/b", [...others, pickle]);
    await expect(shapeThere()).rejects.toThrow(/pickled \(pytorch_model\.bin\).* never opened/);
  });
});

describe("a hub that goes wrong", () => {
  test.each<{ why: string; does: FaultAction; says: RegExp }>([
    { why: "cuts its answers", does: { type: "cut", afterBytes: 100 }, says: /tried 2 times/ },
    {
      why: "sends another range",
      does: { type: "wrong-range-start" },
      says: /sends another range/,
    },
    { why: "sends everything", does: { type: "ignore-range" }, says: /from its start instead/ },
    {
      why: "sends a login page",
      does: loginPage,
      says: /a web page where model\.safetensors should be/,
    },
    { why: "never ends", does: { type: "endless" }, says: /sends more of model\.safetensors/ },
    { why: "packs its answers", does: { type: "gzip" }, says: /packed \(gzip\)/ },
  ])("and $why is told", async ({ does, says }) => {
    hub.addRepo("a/b", await checkpointFiles(tinyCheckpoint));
    hub.fault({ at: "cdn", does });
    await expect(shapeThere()).rejects.toThrow(says);
  });

  test("once is asked again", async () => {
    hub.addRepo("a/b", await checkpointFiles(tinyCheckpoint));
    hub.fault({ at: "cdn", times: 1, does: { type: "cut", afterBytes: 100 } });
    expect((await shapeThere()).numParameters).toBeGreaterThan(100_000);
  });
});
