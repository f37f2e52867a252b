/** `atalaya bench` on a model of random weights: that it measures, not what. */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { atalaya, requireBuild } from "../support/program.ts";
import { tinyCheckpoint } from "../support/serve.ts";

beforeAll(requireBuild);

test("measures in turns, and writes what it found", { timeout: 120_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "atalaya-bench-"));
  const [json, svg] = [join(directory, "b.json"), join(directory, "b.svg")];
  const measured = `--against native --runs 2 --tokens 8 --prompt-tokens 40 --streams 1,3`;
  const files = ["--json", json, "--svg", svg];
  const { exitCode, stdout, stderr } = await atalaya(
    "bench",
    tinyCheckpoint,
    ...measured.split(" "),
    ...files,
  );
  expect(stderr).toContain("decode, one stream: native, 2 of 2");
  expect(exitCode).toBe(0);
  for (const title of ["load", "decode", "prefill of 40", "four tiles", "3 streams", "memory"]) {
    expect(stdout).toContain(title);
  }
  const { measures } = JSON.parse(await readFile(json, "utf8")) as {
    measures: { name: string; results: { median: number; runs: number[] }[] }[];
  };
  expect(measures).toHaveLength(10);
  for (const { results } of measures) {
    expect(results).toHaveLength(2);
    for (const { median, runs } of results) {
      expect(runs).toHaveLength(2);
      expect(median).toBeGreaterThan(0);
    }
  }
  expect((await sharp(await readFile(svg)).metadata()).format).toBe("svg");
});

test("a measure that there is none of is refused before anything is loaded", async () => {
  const { exitCode, stderr } = await atalaya("bench", tinyCheckpoint, "--only", "speed");
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/no measure "speed".*decode/);
});
