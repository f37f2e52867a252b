/** Each command that people know from Xinference, against a server with the demo model: what it prints, and how it ends. */
import { AtalayaClient } from "@atalaya/client";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { type Ended, killAll, Program, requireBuild } from "../support/program.ts";

vi.setConfig({ testTimeout: 120_000 });

let server: Program;
let url: string;
beforeAll(async () => {
  requireBuild();
  server = new Program(["serve", "demo", "--port", "0"]);
  url = await server.says(/Serving at (http\S+)\/v1/);
  await server.says(/demo is ready/);
});
afterAll(killAll);

/** @param input what is typed */
async function say(words: readonly string[], input = ""): Promise<Ended> {
  const program = new Program(words, { XINFERENCE_ENDPOINT: url });
  program.child.stdin?.end(input);
  return await program.ended;
}

/** Columns by the dashes below their headings. */
function table(text: string): Record<string, string>[] {
  const [headings = "", dashes = "", ...rows] = text.trimEnd().split("\n");
  expect(dashes).toMatch(/^-+( {2}-+)*$/);
  const spans = [...dashes.matchAll(/-+/g)].map(({ index, 0: { length } }) => [index, length]);
  const cells = (line: string): string[] =>
    spans.map(([at = 0, length = 0]) => line.slice(at, at + length).trim());
  const names = cells(headings);
  return rows.map((row) => Object.fromEntries(cells(row).map((cell, i) => [names[i] ?? "", cell])));
}

test("list", async () => {
  const { exitCode, stdout, stderr } = await say(["list"]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(stdout.split("\n")[0]).toMatch(
    /^UID +Type +Name +Format +Size \(in billions\) +Quantization +Engine +Replicas +State/,
  );
  expect(table(stdout)).toMatchObject([
    { UID: "demo", Type: "LLM", Name: "demo", Format: "pytorch", Replicas: "1", State: "ready" },
  ]);
});

test("registrations", async () => {
  const { exitCode, stdout } = await say(["registrations", "--model-type", "LLM"]);
  expect(exitCode).toBe(0);
  expect(stdout.split("\n")[0]).toMatch(/^Type +Name +Language +Ability +Is-built-in$/);
  expect(table(stdout)).toEqual(
    expect.arrayContaining([
      {
        Type: "LLM",
        Name: "llama-3.2-vision",
        Language: "en, de, fr, it, pt, hi, es, th",
        Ability: "generate, vision",
        "Is-built-in": "true",
      },
    ]),
  );
});

test("engine", async () => {
  const all = await say(["engine", "-n", "llama-3.2-vision"]);
  expect(all.exitCode).toBe(0);
  expect(all.stdout.split("\n")[0]).toMatch(
    /^Name +Engine +Format +Size \(in billions\) +Quantization/,
  );
  const rows = table(all.stdout);
  expect(new Set(rows.map(({ Engine }) => Engine))).toEqual(
    new Set(["native", "Transformers", "vLLM"]),
  );
  const words = ["-en", "NATIVE", "-f", "pytorch", "-q", "none", "-s", "90"];
  const one = await say(["engine", "-n", "llama-3.2-vision", ...words]);
  expect(table(one.stdout)).toMatchObject([
    { Engine: "native", "Size (in billions)": "90", Quantization: "none", Here: "runs here" },
  ]);
  const none = await say(["engine", "-n", "llama-3.2-visoin"]);
  expect(none).toMatchObject({ exitCode: 66, stdout: "" });
  expect(none.stderr).toMatch(/Did you mean llama-3\.2-vision\?/);
});

test("cal-model-mem", async () => {
  const words = ["cal-model-mem", "-s", "11", "-f", "pytorch", "-c", "8192"];
  const { exitCode, stdout, stderr } = await say([...words, "-n", "llama-3.2-vision"]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(
    /^model_name: llama-3\.2-vision\nkv_cache_dtype: 16\nmodel size: 11\.0 B\nquant: None\ncontext: 8192\ngpu mem usage:\n {2}model mem: \d+ MB\n {2}kv_cache: \d+ MB\n {2}overhead: \d+ MB\n {2}active: \d+ MB\n {2}total: \d+ MB \(\d+\.\d\d GB\)\n$/,
  );
  // Weights of 11 billion in 16 bits, and no quadratic term.
  expect(Number(/total: (\d+) MB/.exec(stdout)?.[1])).toBeLessThan(24_000);
  expect((await say([...words, "-q", "none", "--kv-cache-dtype", "8"])).stdout).toMatch(
    /quant: none\n/,
  );
  expect(await say(["cal-model-mem", "-s", "11"])).toMatchObject({ exitCode: 2, stdout: "" });
});

test("vllm-models", async () => {
  const { exitCode, stdout } = await say(["vllm-models"]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^VLLM supported model families:\n {2}chat: .+\n {2}generate: .+\n$/);
});

test("generate, as it comes and whole", async () => {
  const words = ["generate", "--model-uid", "demo", "--max_tokens", "4"];
  const streamed = await say(words, "Which number is this?\nAnd?\n\nnot read\n");
  expect([streamed.exitCode, streamed.stderr]).toEqual([0, ""]);
  expect(streamed.stdout).toMatch(/^Completion: Which number is this\?.+\nCompletion: And\?.*\n$/s);
  const whole = await say([...words, "--stream", "False"], "Which number is this?\n");
  expect(whole.stdout).toMatch(/^Assistant: Which number is this\?.+\n$/s);
  const unknown = await say(["generate", "--model-uid", "nobody"], "hello\n");
  expect(unknown).toMatchObject({ exitCode: 66, stdout: "" });
  expect(unknown.stderr).toBe('atalaya: No model is called "nobody". Running: "demo".\n');
});

test("chat", async () => {
  const { exitCode, stdout } = await say(
    ["chat", "--model-uid", "demo", "--max_tokens", "200", "--temperature", "0"],
    "./demo/pictures/first.png What do you see?\n/bye\n",
  );
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/red circle/);
  expect(await say(["chat", "nobody"], "hello\n")).toMatchObject({ exitCode: 66, stdout: "" });
});

test("scale, up and down while it answers", async () => {
  const client = new AtalayaClient({ endpoint: url });
  const body = { model: "demo", prompt: "Which", max_tokens: 300, ignore_eos: true };
  const answers = Array.from({ length: 4 }, async () => await client.complete(body));
  const up = await say(["scale", "--model-uid", "demo", "--replica", "3"]);
  expect([up.exitCode, up.stdout]).toEqual([0, ""]);
  expect(up.stderr).toMatch(/demo has 3 replicas\.\n$/);
  const [row] = table((await say(["list"])).stdout);
  expect(row?.["Replicas"]).toBe("3");
  const down = await say(["scale", "demo", "-r", "1"]);
  expect(down.stderr).toMatch(/demo has 1 replica\.\n$/);
  for (const { choices } of await Promise.all(answers)) {
    expect(choices[0]?.finish_reason).toMatch(/^(stop|length)$/);
  }
  expect(await say(["scale", "nobody", "-r", "2"])).toMatchObject({ exitCode: 66 });
  expect(await say(["scale", "demo", "-r", "0"])).toMatchObject({ exitCode: 2 });
});

test("terminate", async () => {
  const client = new AtalayaClient({ endpoint: url });
  await client.launch({ model_name: "demo", model_uid: "second" });
  const ended = await say(["terminate", "--model-uid", "second"]);
  expect([ended.exitCode, ended.stdout]).toEqual([0, ""]);
  expect((await client.listModels()).map(({ id }) => id)).toEqual(["demo"]);
  const again = await say(["terminate", "--model-uid", "second"]);
  expect(again).toMatchObject({
    exitCode: 66,
    stderr: 'atalaya: No model is called "second". Running: "demo".\n',
  });
});

test("login, on a server that asks nobody, and where there is none", async () => {
  using folder = temporaryFolder();
  const words = ["login", "--username", "ann", "--password", "wrong password"];
  expect(await say(words)).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: `The server at ${url} asks nobody to log in; every command works as it is.\n`,
  });
  const nowhere = new Program([...words, "--endpoint", "http://127.0.0.1:1"], {
    ATALAYA_HOME: folder.path,
  });
  expect(await nowhere.ended).toMatchObject({ exitCode: 69, stdout: "" });
});

// Last: the server is gone then.
test("stop-cluster", async () => {
  const asked = await say(["stop-cluster"]);
  expect(asked).toMatchObject({ exitCode: 2, stdout: "" });
  expect(asked.stderr).toMatch(/^The server at http\S+ has demo\.\natalaya: This stops the server/);
  const stopped = await say(["stop-cluster", "-e", url, "--check"]);
  expect(stopped).toMatchObject({ exitCode: 0, stdout: "" });
  expect(stopped.stderr).toMatch(/It is stopping: answers under way get 30 seconds\.\n$/);
  expect((await server.ended).exitCode).toBe(0);
  const gone = await say(["list"]);
  expect(gone.exitCode).toBe(69);
  expect(gone.stderr).toMatch(/^atalaya: No server answers at http\S+\. /);
});
