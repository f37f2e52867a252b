import { copyFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { demoCheckpoint } from "../config/package.ts";
import { readCheckpointFacts } from "./checkpoint-facts.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atalaya-facts-"));
  for (const name of await readdir(demoCheckpoint())) {
    await copyFile(join(demoCheckpoint(), name), join(directory, name));
  }
});
afterAll(async () => await rm(directory, { recursive: true }));

test("a checkpoint's size, dtype and weights are read from its files", async () => {
  const facts = await readCheckpointFacts(directory);
  expect(facts.dtype).toBe("bfloat16");
  expect(facts.sizeBytes).toBeGreaterThan(2 * (facts.numWeights ?? 0));
  expect(facts.numWeights).toBeGreaterThan(1_000_000);
  expect(facts.fingerprint).toMatch(/^[0-9a-f]{64}$/);
});

test("a changed file changes the fingerprint, and a config that says nothing is no fault", async () => {
  const before = await readCheckpointFacts(directory);
  await writeFile(join(directory, "config.json"), "{");
  const after = await readCheckpointFacts(directory);
  expect(after.fingerprint).not.toBe(before.fingerprint);
  expect(after).toMatchObject({ dtype: undefined, numWeights: undefined });
});

test("files that are gone are told in a sentence", async () => {
  await expect(readCheckpointFacts(join(directory, "gone"))).rejects.toMatchObject({
    code: "corrupt_model_file",
  });
});
