/** Quantizing processes that are killed at any moment: what is made in the end is what one alone would have made. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { processArguments } from "../../src/base/worker-entry.ts";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { demoCheckpoint } from "../support/golden.ts";

const NUM_KILLS = 12;
const child = new URL("../../bench/support/quantize-child.ts", import.meta.url);

type Ended = { readonly made: string | undefined; readonly wasKilled: boolean };

/** @param killAt of the work's progress, a fraction; `undefined`: it may finish */
async function quantize(home: string, killAt?: number): Promise<Ended> {
  const process_ = spawn(
    process.execPath,
    [...processArguments({ url: child, isSource: true }), demoCheckpoint() ?? "", "q5_k", home],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let made: string | undefined;
  for await (const line of createInterface(process_.stdout)) {
    const told = JSON.parse(line) as { made?: string; fraction?: number };
    made = told.made ?? made;
    if (killAt !== undefined && (told.fraction ?? 0) >= killAt) process_.kill("SIGKILL");
  }
  if (process_.exitCode === null && process_.signalCode === null) {
    await new Promise((resolve) => process_.once("exit", resolve));
  }
  return { made, wasKilled: process_.signalCode === "SIGKILL" };
}

const digestOf = (made: string): string =>
  createHash("sha256")
    .update(readFileSync(join(made, "model.gguf")))
    .digest("hex");

test("a dozen kills at any moment, also of two at once, cost nothing but time", async () => {
  using folder = temporaryFolder();
  const alone = await quantize(join(folder.path, "alone"));
  const home = join(folder.path, "killed");
  let numKilled = 0;
  for (let kill = 0; kill < NUM_KILLS; kill += 2) {
    const ended = await Promise.all([
      quantize(home, ((kill * 7) % 20) / 20),
      quantize(home, ((kill * 11 + 5) % 20) / 20),
    ]);
    numKilled += ended.filter(({ wasKilled }) => wasKilled).length;
    // Whoever was quick enough has made it: the next ones begin anew.
    for (const { made } of ended)
      if (made !== undefined) expect(digestOf(made)).toBe(digestOf(alone.made ?? ""));
  }
  const [last, other] = await Promise.all([quantize(home), quantize(home)]);
  expect(numKilled).toBeGreaterThanOrEqual(6);
  expect(last.made).toBe(other.made);
  expect(digestOf(last.made ?? "")).toBe(digestOf(alone.made ?? ""));
  const left = readdirSync(join(home, "quantized")).filter((name) => !name.endsWith(".lock"));
  expect(left).toHaveLength(1);
}, 300_000);
