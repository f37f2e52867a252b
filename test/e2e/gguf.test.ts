/** GGUF files by path and out of Ollama's store, from the command line to the answer. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { type OllamaKind, writeOllamaFiles } from "../support/gguf-files.ts";
import { demoCheckpoint } from "../support/golden.ts";
import { addToStore, modelLayers } from "../support/ollama-store.ts";
import { killAll, Program, requireBuild } from "../support/program.ts";

const demo = demoCheckpoint();
if (demo === undefined) throw new Error("demo/checkpoint is missing from this checkout");
const picture = "demo/pictures/first.png";
const question = `What do you see? ${picture}`;
const folder = temporaryFolder();
afterAll(() => {
  killAll();
  folder[Symbol.dispose]();
});
const store = join(folder.path, "ollama");
const env = {
  ATALAYA_HOME: join(folder.path, "home"),
  ATALAYA_ENDPOINT: "http://127.0.0.1:1",
  OLLAMA_MODELS: store,
};
const run = async (...args: string[]) => await new Program(args, env).ended;

let expected = "";
beforeAll(async () => {
  requireBuild();
  for (const kind of ["single", "pair"] as const satisfies readonly OllamaKind[]) {
    const scratch = temporaryFolder();
    const files = writeOllamaFiles(demo, scratch.path, { kind, dtype: "F16" });
    const layers = modelLayers(files, { temperature: 0, top_p: 0.9 });
    const tag = kind === "single" ? "latest" : "11b";
    addToStore(store, `registry.ollama.ai/library/llama3.2-vision:${tag}`, layers);
    scratch[Symbol.dispose]();
  }
  const { stdout } = await run("run", "demo", "--temperature", "0", question);
  expected = stdout;
  expect(expected).toContain("red circle");
});

describe("out of Ollama's store", () => {
  test.each(["ollama:llama3.2-vision", "ollama:llama3.2-vision:11b"])(
    "%s answers",
    async (name) => {
      const { stdout, exitCode: code } = await run("run", name, question);
      expect([code, stdout]).toEqual([0, expected]);
    },
  );

  test("a wrong name names the nearest", async () => {
    const { stderr, exitCode: code } = await run("run", "ollama:llama3.2-vision:12b", "hi");
    expect(code).toBe(66);
    expect(stderr).toMatch(/Did you mean llama3.2-vision:11b\?/);
  });

  test("the plan says what it is", async () => {
    const { stdout } = await run("launch", "ollama:llama3.2-vision", "--dry-run");
    expect(stdout).toMatch(/ggufv2, quantization none/);
    expect(stdout).toMatch(/from +ollama:registry.ollama.ai\/library\/llama3.2-vision:latest/);
  });

  test("cannot be quantized again", async () => {
    const { stderr, exitCode: code } = await run(
      "run",
      "ollama:llama3.2-vision",
      "-q",
      "q4_k",
      "hi",
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/choose one of: none/);
  });
});

test("a quantized model is made once, found again, and its file alone can be launched", async () => {
  const first = await run("run", "demo", "-q", "q8_0", "--temperature", "0", question);
  expect([first.exitCode, first.stdout]).toEqual([0, expected]);
  const root = join(env.ATALAYA_HOME, "quantized");
  const [name = ""] = readdirSync(root).filter((entry) => !entry.endsWith(".lock"));
  const file = join(root, name, "model.gguf");
  expect(readFileSync(file).subarray(0, 4).toString()).toBe("GGUF");
  const { mtimeMs, ino } = statSync(file);
  await run("run", "demo", "-q", "q8_0", "--temperature", "0", question);
  expect(statSync(file)).toMatchObject({ mtimeMs, ino });
  const alone = await run("run", file, "--temperature", "0", question);
  expect([alone.exitCode, alone.stdout]).toEqual([0, expected]);
  const { stdout } = await run("launch", file, "--model-format", "ggufv2", "--dry-run");
  expect(stdout).toMatch(/ggufv2, quantization q8_0/);
});
