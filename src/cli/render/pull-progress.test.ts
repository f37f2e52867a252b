import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { PullEvent } from "../../platform.ts";
import { processTerminal } from "../terminal.ts";
import { describeEvent, showPull } from "./pull-progress.ts";

const plan: PullEvent = {
  type: "plan",
  hub: "huggingface",
  host: "huggingface.co",
  repo: "a/b",
  commit: "0123456789ab".padEnd(40, "0"),
  licence: { name: "llama3.2", link: "https://huggingface.co/a/b", note: "It is long." },
  directory: "/cache/a/b",
  files: [
    { path: "config.json", sizeBytes: 1_000, hereBytes: 1_000 },
    { path: "model.safetensors", sizeBytes: 2_000_000, hereBytes: 500_000 },
  ],
};

describe("what is said of a download", () => {
  test("is its plan, with the licence", () => {
    expect(describeEvent(plan)?.split("\n")).toEqual([
      "a/b from huggingface.co, commit 0123456789ab: 2 files, 2.0 MB",
      "Licence: llama3.2, https://huggingface.co/a/b. By downloading you accept it.",
      "It is long.",
      "501 kB are here already, 1.5 MB to come.",
    ]);
  });

  test("has nothing in it that steers a terminal", () => {
    const path = "a\u001b[2J\u202e.json";
    const text = describeEvent({ type: "retry", path, reason: "h is away", waitMs: 3_000 });
    expect(text).toBe("a?[2J?.json: h is away; trying again in 3 s.");
  });
});

test("where no terminal is, whole files are named, and the sum is known", () => {
  const written: string[] = [];
  const stderr = new PassThrough().on("data", (chunk: Buffer) => written.push(chunk.toString()));
  const terminal = { ...processTerminal(), stderr: stderr as unknown as NodeJS.WriteStream };
  const progress = showPull(terminal);
  progress.onEvent(plan);
  progress.onEvent({ type: "file-progress", path: "model.safetensors", doneBytes: 1_500_000 });
  expect(progress.done).toEqual({ doneBytes: 1_501_000, totalBytes: 2_001_000 });
  progress.onEvent({ type: "file-ready", path: "config.json" });
  progress.onEvent({ type: "file-ready", path: "model.safetensors" });
  progress[Symbol.dispose]();
  expect(written.at(-1)).toBe("model.safetensors: 2.0 MB, verified\n");
  expect(written.join("")).not.toContain("config.json");
  expect(progress.done).toEqual({ doneBytes: 2_001_000, totalBytes: 2_001_000 });
});
