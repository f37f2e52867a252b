import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readDefaultSampling } from "./default-sampling.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "defaults-"));
});
afterEach(async () => await rm(directory, { recursive: true }));

describe("what a model's makers advise", () => {
  test.each([
    { why: "nothing", file: undefined, expected: { temperature: 0, topP: 1, topK: 0 } },
    {
      why: "sampling, as Meta's instruct models do",
      file: { do_sample: true, temperature: 0.6, top_p: 0.9 },
      expected: { temperature: 0.6, topP: 0.9, topK: 0 },
    },
    {
      why: "greedy decoding, whatever the temperature says",
      file: { do_sample: false, temperature: 0.6 },
      expected: { temperature: 0, topP: 1 },
    },
    { why: "sampling without more", file: { do_sample: true }, expected: { temperature: 1 } },
  ])("may be $why", async ({ file, expected }) => {
    if (file !== undefined) {
      await writeFile(join(directory, "generation_config.json"), JSON.stringify(file));
    }
    expect(await readDefaultSampling(directory)).toMatchObject(expected);
  });

  test.each(["{", "[]", '{"do_sample": "yes"}', '{"temperature": -1}'])(
    "must be readable: %s",
    async (text) => {
      await writeFile(join(directory, "generation_config.json"), text);
      await expect(readDefaultSampling(directory)).rejects.toMatchObject({
        code: "corrupt_model_file",
      });
    },
  );
});
