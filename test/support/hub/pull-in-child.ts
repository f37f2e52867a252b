/**
 * `node pull-in-child.js HOME STEP COUNT`, with the test hub in the environment: pulls `a/b`, and kills
 * itself as `kill -9` does when STEP comes for the COUNT-th time. Each line it prints is how many bytes
 * of the large file are written; what a kill leaves unsaid was never written.
 */
import { writeSync } from "node:fs";
import { Hub } from "../../../src/hub/hub.ts";
import { readHubSettings } from "../../../src/hub/settings.ts";
import { partedLimits } from "./limits.ts";

const [, , home = "", killStep = "", killCount = "0"] = process.argv;
let left = Number(killCount);

const hub = new Hub(await readHubSettings(process.env, home), {
  version: "0.0.0",
  limits: partedLimits,
});
await hub.pull({
  repo: "a/b",
  hub: "huggingface",
  revision: undefined,
  include: [],
  exclude: [],
  verify: false,
  signal: new AbortController().signal,
  onEvent: (event) => {
    if (event.type === "plan") {
      const here = event.files.find(({ path }) => path === "model.safetensors")?.hereBytes;
      writeSync(1, `here ${here}\n`);
    } else if (event.type === "file-progress" && event.path === "model.safetensors") {
      writeSync(1, `done ${event.doneBytes}\n`);
    }
  },
  onStep: (step) => {
    if (step !== killStep) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, "SIGKILL");
  },
});
writeSync(1, "whole\n");
