/** A launch of what is not here: the shipped program, a server of its own, and the test hub. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AtalayaClient } from "@atalaya/client";
import type { ProgressReply } from "@atalaya/protocol";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { demoPictures, packageRoot } from "../../src/config/package.ts";
import { TestClient } from "../support/hub/pull-from.ts";
import { checkpointFiles, shellOf, startIn, until } from "../support/hub/shell.ts";
import { TestHub } from "../support/hub/test-hub.ts";
import { hasTerminals, onTerminal } from "../support/on-terminal.ts";
import { killAll, type Program, requireBuild } from "../support/program.ts";
import { lackOfPython, testPython } from "../support/python.ts";

vi.setConfig({ testTimeout: 120_000 });

const repo = "meta-llama/Llama-3.2-11B-Vision-Instruct";
const model = "llama-3.2-vision-instruct:11b";
let hub: TestHub;
let client: TestClient;

beforeAll(requireBuild);
beforeEach(async () => {
  hub = await TestHub.start();
  client = await TestClient.for(hub);
});
afterEach(async () => {
  killAll();
  await hub[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

const start = (args: readonly string[], env?: NodeJS.ProcessEnv): Program =>
  startIn(client, args, env);
const atalaya = (...args: readonly string[]) => start(args).ended;

/** @returns the address of a server without a model */
async function serve(env?: NodeJS.ProcessEnv): Promise<string> {
  return await start(["serve", "--port", "0"], env).says(/Serving at (\S+)\/v1/);
}

const drip = { at: "cdn", does: { type: "slow", chunkBytes: 20_000, everyMs: 50 } } as const;

describe("a launch by name", () => {
  test("downloads, says the licence and each stage, and ends with a model that sees", async () => {
    hub.addRepo(repo, await checkpointFiles(), { licence: "llama3.2" });
    const url = await serve();
    const launched = await atalaya("launch", model, "--endpoint", url);
    expect(launched).toMatchObject({
      exitCode: 0,
      stdout: "Model uid: llama-3.2-vision-instruct\n",
    });
    const expected = [
      /^Finding the files\.$/m,
      /^meta-llama\/Llama-3\.2-11B-Vision-Instruct from 127\.0\.0\.1:\d+, commit [0-9a-f]{12}: \d+ files, 1\.2 MB$/m,
      /^Licence: llama3\.2, http\S+\. By downloading you accept it\.$/m,
      /domiciled in the European Union/,
      /^model\.safetensors: 1\.2 MB, verified$/m,
      /^Downloaded 1\.2 MB in [\d.]+ s, all verified\.$/m,
      /^Loading weights\.$/m,
      /^Warming up\.$/m,
      /^Engine: native, the best that runs there\.$/m,
    ];
    let at = 0;
    for (const line of expected) {
      const found = line.exec(launched.stderr.slice(at));
      expect(found, `${line} in ${launched.stderr}`).not.toBeNull();
      at += found?.index ?? 0;
    }
    const picture = join(demoPictures(), "first.png");
    const question = ["run", "llama-3.2-vision-instruct", "what is it?", "--image", picture];
    const answer = await atalaya(...question, "--max-tokens", "2", "--endpoint", url);
    expect(answer.stderr).toMatch(/first\.png \d+×\d+, \d tiles?/);
    expect(answer.exitCode).toBe(0);

    // Everything is here now, so a second one asks the hub nothing.
    hub.log.length = 0;
    const again = await atalaya("launch", model, "-u", "again", "--endpoint", url);
    expect(again).toMatchObject({ exitCode: 0, stdout: "Model uid: again\n" });
    expect(hub.log).toEqual([]);
  });

  test("finds the repository under its older name", async () => {
    hub.addRepo("meta-llama/Meta-Llama-3.2-11B-Vision", await checkpointFiles());
    const ended = await atalaya("run", "llama-3.2-vision", "hello", "--max-tokens", "1");
    expect(ended.stderr).toMatch(/^meta-llama\/Meta-Llama-3\.2-11B-Vision from /m);
    expect(ended.exitCode).toBe(0);
  });

  test("takes the hub and the revision that were named", async () => {
    hub.addRepo("LLM-Research/Llama-3.2-11B-Vision-Instruct", await checkpointFiles());
    const url = await serve();
    const wrong = ["launch", model, "--revision", "v9", "--endpoint", url];
    expect((await atalaya(...wrong)).stderr).toMatch(/has no model|has no revision/);
    const ended = await atalaya("launch", model, "--hub", "modelscope", "--endpoint", url);
    expect(ended.stderr).toMatch(/^LLM-Research\/Llama-3\.2-11B-Vision-Instruct from /m);
    expect(ended.exitCode).toBe(0);
  });

  test("without a server loads it where it was typed", async () => {
    hub.addRepo("a/tiny", await checkpointFiles(), { licence: "llama3.2" });
    const ended = await atalaya("run", "a/tiny", "hello", "--max-tokens", "2");
    expect(ended.stderr).toMatch(/^Licence: llama3\.2/m);
    expect(ended.stderr).toMatch(/^2 tokens/m);
    expect(ended.exitCode).toBe(0);
  });
});

const lacksPython = await lackOfPython(["grpc", "torch", "transformers"]);

describe.skipIf(lacksPython !== undefined)(
  `the page's commands for Transformers${lacksPython === undefined ? "" : ` (skipped: there is no ${lacksPython})`}`,
  () => {
    // The tiny checkpoint stands in for both sizes: what is typed, found, fetched and answered is the same.
    test.each([
      ["11", "meta-llama/Llama-3.2-11B-Vision"],
      ["90", "meta-llama/Llama-3.2-90B-Vision"],
    ])("at %s billion end in a model that sees", async (size, name) => {
      hub.addRepo(name, await checkpointFiles(), { licence: "llama3.2" });
      const url = await serve({ ATALAYA_TRANSFORMERS_PYTHON: testPython });
      const line = `launch --model-engine transformers --model-name llama-3.2-vision --size-in-billions ${size} --model-format pytorch --quantization none`;
      const launched = await atalaya(...line.split(" "), "--endpoint", url);
      expect(launched.stderr).toMatch(/^Licence: llama3\.2/m);
      expect(launched).toMatchObject({ exitCode: 0, stdout: "Model uid: llama-3.2-vision\n" });
      const listed = await new AtalayaClient({ endpoint: url }).listModels();
      expect(listed).toMatchObject([{ id: "llama-3.2-vision", model_engine: "transformers" }]);
      const picture = join(demoPictures(), "first.png");
      const question = ["run", "llama-3.2-vision", "what is it?", "--image", picture];
      const answer = await atalaya(...question, "--max-tokens", "2", "--endpoint", url);
      expect(answer.stderr).toMatch(/first\.png \d+×\d+, \d tiles?/);
      expect(answer.exitCode).toBe(0);
    });
  },
);

test("whoever polls a launch sees each file come, with its speed, and all of them complete at the end", async () => {
  hub.addRepo(repo, await checkpointFiles());
  hub.fault(drip);
  const url = await serve();
  const body = {
    model_name: "llama-3.2-vision-instruct",
    model_uid: "polled",
    model_engine: "native",
  };
  const launched = await fetch(`${url}/v1/models?wait_ready=false`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, model_size_in_billions: 11 }),
  });
  expect(await launched.json()).toEqual({ model_uid: "polled" });
  const seen: ProgressReply[] = [];
  while (seen.at(-1)?.progress !== 1) {
    seen.push((await (await fetch(`${url}/v1/models/polled/progress`)).json()) as ProgressReply);
    await sleep(50);
  }
  const weights = seen.flatMap(({ stage, download_files: files }) =>
    stage === "downloading" ? files.filter(({ name }) => name === "model.safetensors") : [],
  );
  const moving = weights.filter(({ progress }) => progress > 0 && progress < 1);
  expect(moving.length).toBeGreaterThan(3);
  const told = moving.find(({ speed_bytes_per_second: speed, eta_seconds: left }) => speed && left);
  expect(told).toMatchObject({
    status: "downloading",
    replica_id: 0,
    replica_model_uid: "polled-rep0",
    total_bytes: expect.any(Number),
  });
  expect(told?.speed_bytes_per_second).toBeGreaterThan(10_000);
  const all = seen.map(({ progress }) => progress);
  expect(all).toEqual(all.toSorted((a, b) => a - b));
  const last = seen.at(-1);
  expect(new Set(last?.download_files.map(({ status }) => status))).toEqual(new Set(["completed"]));
  expect(last?.replicas[0]?.download_files).toEqual(last?.download_files);
});

describe("a launch that comes to nothing ends with 1, one sentence, and its name free", () => {
  test.each([
    {
      why: "the licence is not accepted",
      access: "gated",
      args: [],
      says: /^atalaya: meta-llama\/Llama-3\.2-11B-Vision-Instruct is given out only to those who accept its licence: do so at http\S+\/meta-llama\/Llama-3\.2-11B-Vision-Instruct, then set HF_TOKEN to a token of that account/m,
    },
    {
      why: "nothing may be downloaded",
      access: "public",
      args: ["--no-download"],
      says: /^atalaya: .*The files of llama-3\.2-vision-instruct .* are not on this machine\. Accept the .*, then download them: atalaya pull /m,
    },
    {
      why: "the server is offline",
      access: "public",
      args: [],
      env: { HF_HUB_OFFLINE: "1" },
      says: /^atalaya: HF_HUB_OFFLINE .* is set, so nothing is downloaded\./m,
    },
    {
      why: "what comes is no checkpoint",
      access: "public",
      args: [],
      broken: true,
      says: /^atalaya: .*model\.safetensors/m,
    },
  ] as const)("when $why", async ({ access, args, says, ...rest }) => {
    const files = await checkpointFiles();
    const broken = files.map((file) =>
      file.path.endsWith(".safetensors") ? { ...file, bytes: file.bytes.subarray(0, 999) } : file,
    );
    hub.addRepo(repo, "broken" in rest ? broken : files, { access });
    const url = await serve("env" in rest ? rest.env : {});
    const { exitCode, stdout, stderr } = await atalaya("launch", model, ...args, "--endpoint", url);
    expect(stderr).toMatch(says);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(await new AtalayaClient({ endpoint: url }).listModels({ state: "all" })).toEqual([]);
  });
});

describe("a launch that is stopped", () => {
  test("downloads no more, frees its name, and goes on from there the next time (DL-11)", async () => {
    hub.addRepo(repo, await checkpointFiles());
    hub.fault(drip);
    const url = await serve();
    const launching = start(["launch", model, "--endpoint", url]);
    await until(() => hub.sentBytes() > 300_000);
    const stoppedAt = performance.now();
    launching.child.kill("SIGINT");
    expect(await launching.ended).toMatchObject({ exitCode: 130, stdout: "" });
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    expect(await new AtalayaClient({ endpoint: url }).listModels({ state: "all" })).toEqual([]);
    await sleep(200);
    const sentBytes = hub.sentBytes();
    await sleep(400);
    expect(hub.sentBytes()).toBe(sentBytes);

    hub.faults.clear();
    const again = await atalaya("launch", model, "--endpoint", url);
    expect(again.stderr).toMatch(/are here already, \d+ kB to come\./);
    expect(again).toMatchObject({
      exitCode: 0,
      stdout: "Model uid: llama-3.2-vision-instruct\n",
    });
  });

  test("by whoever else terminates it, says so", async () => {
    hub.addRepo(repo, await checkpointFiles());
    hub.fault(drip);
    const url = await serve();
    const launching = start(["launch", model, "-u", "mine", "--endpoint", url]);
    await until(() => hub.sentBytes() > 100_000);
    expect((await atalaya("terminate", "mine", "--endpoint", url)).exitCode).toBe(0);
    expect(await launching.ended).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("The launch of mine was stopped by somebody else."),
    });
  });

  describe.skipIf(!hasTerminals)("on a terminal", () => {
    const program = join(packageRoot(), "dist/src/cli/main.js");
    const launching = (url: string) => {
      const words = ["launch", model, "--endpoint", url];
      return [process.execPath, program, ...words];
    };

    test("asks once; a second Ctrl-C stops it", async () => {
      hub.addRepo(repo, await checkpointFiles());
      hub.fault(drip);
      const url = await serve();
      const steps = [
        { after: "kB/s", type: ["\u0003"] },
        { after: "Stop the launch\\?", type: ["\u0003"] },
      ];
      const { exitCode, shown } = await onTerminal(launching(url), steps, shellOf(client));
      expect(shown).toContain("Stop the launch? What is downloaded stays. [y/N]");
      expect(shown).toMatch(/█+░+/);
      expect(exitCode).toBe(130);
      expect(await new AtalayaClient({ endpoint: url }).listModels({ state: "all" })).toEqual([]);
    });

    test("goes on when the answer is no, and stops when it is y", async () => {
      hub.addRepo(repo, await checkpointFiles());
      hub.fault(drip);
      const url = await serve();
      const refuse = [
        { after: "kB/s", type: ["\u0003"] },
        { after: "Stop the launch\\?", type: ["n\r"] },
      ];
      const first = await onTerminal(launching(url), refuse, shellOf(client));
      expect(first.shown.match(/Stop the launch/g)).toHaveLength(1);
      expect(first.shown).toContain("Model uid: llama-3.2-vision-instruct");
      expect(first.exitCode).toBe(0);

      await client[Symbol.asyncDispose]();
      const agree = [
        { after: "kB/s", type: ["\u0003"] },
        { after: "Stop the launch\\?", type: ["y\r"] },
      ];
      const second = await onTerminal(launching(url), agree, shellOf(client));
      expect(second.exitCode).toBe(130);
    });
  });
});
