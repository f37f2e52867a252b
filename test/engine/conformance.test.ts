/**
 * Every engine through the one contract: loading, streaming, cancelling, bad input, a worker that dies, a
 * platform that dies, and the tokens of the reference.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { mkdtemp, readdir } from "node:fs/promises";
import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { tokenId } from "../../src/base/ids.ts";
import type { LoadProgress, WorkerEnd } from "../../src/engines/engine.ts";
import type { WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import { demoCases, demoPicture } from "../support/demo-golden.ts";
import { onVulkan, testedEngines } from "../support/engines.ts";
import { demoCheckpoint, goldenCheckpoint, goldenPicture, manifest } from "../support/golden.ts";
import { ask, goldenPrompt, greedily, promptOf } from "../support/native-engine.ts";

// A Python worker reads PyTorch for seconds, on a busy machine for many.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const tiny = goldenCheckpoint("tiny-a");
const text = promptOf([1, 20, 30], []);
const picture = goldenPicture({ width: 50, height: 52, seed: 9 });
const seeing = promptOf([1, 256, 30], [picture]);
const shipped = demoCheckpoint();

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const isLinux = process.platform === "linux";
const notLinux = isLinux ? "" : " (skipped: only Linux shows it)";

/** What a process has open, as Linux names it: `socket:[123]`, `/dev/null`. */
function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      return [];
    }
  });
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8")
      .split(" ")
      .filter((word) => word !== "")
      .map(Number),
  );
}

/** @returns the status of a request that is no gRPC; `undefined` when it is not answered */
async function statusOf(socketPath: string, path: string): Promise<number | undefined> {
  const session = connect("http://engine", { createConnection: () => connectSocket(socketPath) });
  try {
    return await new Promise((resolve) => {
      session.once("error", () => resolve(undefined));
      const stream = session.request({ ":path": path });
      stream.once("response", (headers) => resolve(headers[":status"]));
      stream.once("error", () => resolve(undefined));
      stream.end();
    });
  } finally {
    session.destroy();
  }
}

describe.each([...testedEngines, onVulkan])("the engine $title", (engineUnderTest) => {
  const { kind, lacks, start, profiles, keepsPictures, refuses, isSlow } = engineUnderTest;
  describe.skipIf(lacks !== undefined)("running", () => {
    let engine: WorkerDriver;
    const progress: LoadProgress[] = [];
    beforeAll(async () => {
      engine = await start(tiny, {}, { onProgress: (step) => progress.push(step) });
    });
    afterAll(async () => {
      const pid = await engine.workerPid();
      await engine[Symbol.asyncDispose]();
      expect(isAlive(pid)).toBe(false);
    });

    test("has told how loading went, and knows its model", () => {
      expect(progress[0]?.stage).toBe("reading the checkpoint");
      const fractions = progress
        .filter(({ stage }) => stage === "loading weights")
        .map(({ fraction }) => fraction ?? Number.NaN);
      // vLLM does not say how far it is.
      if (kind !== "vllm") {
        expect(fractions.length).toBeGreaterThan(1);
        expect(fractions.at(-1)).toBe(1);
      }
      expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
      expect(engine.kind).toBe(kind);
      expect(engine.model).toMatchObject({
        vocabSize: 256,
        numEmbeddings: 264,
        imageTokenId: 256,
        bosTokenId: 1,
        stopTokenIds: [2, 6],
      });
    });

    test("streams: tokens arrive one by one, and one finish is the last event", async () => {
      const arrivals: number[] = [];
      const types: string[] = [];
      const signal = new AbortController().signal;
      for await (const event of engine.generate(text, { sampling: greedily(64), signal })) {
        arrivals.push(performance.now());
        types.push(event.type);
      }
      expect(types).toEqual([...Array.from({ length: 64 }, () => "token"), "finish"]);
      expect(new Set(arrivals.map((at) => Math.round(at * 10))).size).toBeGreaterThan(8);
    });

    test("answers two prompts at once, and two hundred, each in full", async () => {
      const numPrompts = isSlow === true ? 40 : 200;
      const one = await ask(engine, text, greedily(32));
      const both = await Promise.all([
        ask(engine, text, greedily(32)),
        ask(engine, seeing, greedily(32)),
      ]);
      expect(both[0].tokenIds).toEqual(one.tokenIds);
      expect(both[1].tokenIds).not.toEqual(one.tokenIds);
      const answers = await Promise.all(
        Array.from({ length: numPrompts }, (_, index) =>
          ask(engine, promptOf([1, index % 200, 30], []), greedily(8)),
        ),
      );
      expect(answers.map(({ tokenIds }) => tokenIds.length)).toEqual(answers.map(() => 8));
      // Equal prompts, equal answers; different ones differ somewhere.
      expect(new Set(answers.map(({ tokenIds }) => tokenIds.join())).size).toBeGreaterThan(
        numPrompts / 4,
      );
    });

    test("encodes a picture once, and says what its memory is for", async () => {
      const unseen = promptOf([1, 256, 30], [goldenPicture({ width: 51, height: 52, seed: 4 })]);
      const [first] = (await ask(engine, unseen, greedily(2))).events;
      const [second] = (await ask(engine, unseen, greedily(2))).events;
      expect(first).toMatchObject({
        type: "image",
        cached: false,
        width: 51,
        height: 52,
        grid: { rows: 2, columns: 2 },
      });
      if (!keepsPictures) return;
      expect(second).toMatchObject({ type: "image", cached: true, encodeMs: 0 });
      const stats = await engine.stats();
      expect(stats.cachedPictures).toBeGreaterThan(0);
      // All of it lies in the worker's own memory, whatever else does.
      const known = [stats.weightBytes, stats.pictureBytes].map(Number);
      expect(Math.min(...known)).toBeGreaterThan(0);
      expect(known.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(stats.residentBytes);
    });

    test("stops working when nobody listens any more", async () => {
      const abort = new AbortController();
      const answer = ask(engine, text, greedily(1_900), abort.signal);
      while ((await engine.stats()).numRunning === 0) await sleep(5);
      abort.abort();
      expect((await answer).tokenIds.length).toBeLessThan(1_900);
      const cancelledAt = performance.now();
      while ((await engine.stats()).numRunning > 0) await sleep(2);
      expect(performance.now() - cancelledAt).toBeLessThan(500);
      expect((await engine.stats()).kvBlocksUsed).toBe(0);
    });

    test("means the same by its settings: stop tokens, bias, a seed, the prompt's own numbers", async () => {
      const plain = await ask(engine, text, greedily(6, { logprobs: 3 }));
      const [, second = 0] = plain.tokenIds;
      const place = plain.tokenIds.indexOf(second);
      const stopped = await ask(engine, text, greedily(6, { stopTokenIds: [tokenId(second)] }));
      expect(stopped.tokenIds).toEqual(plain.tokenIds.slice(0, place + 1));
      expect(stopped.events.at(-1)).toEqual({ type: "finish", reason: "stop" });

      // Log-probabilities are the model's own, whatever the settings.
      const bias = [{ tokenId: tokenId(99), bias: 100 }];
      const biased = await ask(engine, text, greedily(3, { logitBias: bias, logprobs: 3 }));
      expect(biased.tokenIds).toEqual([99, 99, 99]);
      const [own] = plain.events.filter(({ type }) => type === "token");
      const [swayed] = biased.events.filter(({ type }) => type === "token");
      if (own?.type !== "token" || swayed?.type !== "token") throw new Error("no token");
      const ids = ({ topLogprobs }: typeof own) => topLogprobs.map((top) => top.tokenId);
      expect(ids(swayed)).toEqual(ids(own));
      expect(swayed.logprob).toBeLessThan(own.logprob ?? Number.NaN);
      expect(own.topLogprobs[0]).toEqual({ tokenId: own.tokenId, logprob: own.logprob });

      const drawn = { temperature: 1, seed: 7, topK: 20, topP: 0.9, minP: 0.01 };
      const draws = [
        await ask(engine, text, greedily(12, drawn)),
        await ask(engine, text, greedily(12, drawn)),
        await ask(engine, text, greedily(12, { ...drawn, seed: 8 })),
      ];
      expect(draws[1]?.tokenIds).toEqual(draws[0]?.tokenIds);
      expect(draws[2]?.tokenIds).not.toEqual(draws[0]?.tokenIds);
    });

    test("honours a setting or refuses it by its name, before anything is generated", async () => {
      for (const [name, setting] of [
        ["grammar", { grammar: 'root ::= "a"' }],
        ["prompt_logprobs", { promptLogprobs: { start: 1, numAlternatives: 2 } }],
        ["min_tokens", { minTokens: 2 }],
      ] as const) {
        const outcome = await ask(
          engine,
          text,
          greedily(2, { stopTokenIds: [tokenId(2)], ...setting }),
        ).then(
          ({ events }) => events.at(-1)?.type,
          (error: unknown) => error,
        );
        if (outcome === "finish") continue;
        expect(outcome).toMatchObject({
          code: "unsupported_parameter",
          message: expect.stringMatching(new RegExp(name.replace(/_(.)/g, "_?$1"), "i")),
        });
      }
    });

    test.each([
      [promptOf([1, 256], []), "invalid_request", /1 image tokens and 0 pictures/],
      [promptOf([1], [picture]), "invalid_request", /0 image tokens and 1 pictures/],
      [promptOf([1, 9_999], []), "invalid_request", /9999/],
      [promptOf([], []), "invalid_request", /empty/],
      [
        promptOf(
          Array.from({ length: 5_000 }, () => 20),
          [],
        ),
        "context_length_exceeded",
        /5000/,
      ],
    ])("keeps the code and the sentence of a refusal (%#)", async (prompt, code, message) => {
      await expect(ask(engine, prompt, greedily(2))).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    });

    test.skipIf(!isLinux)(
      `has none of our files open (WK-06), and listens on its socket alone, which only we reach (WK-07)${notLinux}`,
      async () => {
        const pid = await engine.workerPid();
        const canary = fileURLToPath(import.meta.url);
        const descriptor = openSync(canary, "r");
        try {
          await using other = await start(tiny);
          const open = openFiles(await other.workerPid());
          expect(open).not.toContain(canary);
          expect(open.filter((name) => /sqlite|atalaya\.db/.test(name))).toEqual([]);
        } finally {
          closeSync(descriptor);
        }
        const inodes = new Set(
          openFiles(pid).flatMap((name) => /^socket:\[(\d+)\]$/.exec(name)?.[1] ?? []),
        );
        expect(inodes.size).toBeGreaterThan(0);
        const listening = ["tcp", "tcp6", "udp", "udp6"].flatMap((table) =>
          readFileSync(`/proc/${pid}/net/${table}`, "utf8")
            .split("\n")
            .slice(1)
            .map((line) => line.trim().split(/\s+/))
            .filter((columns) => inodes.has(columns[9] ?? "") && /^07|^0A/.test(columns[3] ?? ""))
            .map((columns) => columns[1] ?? "")
            // vLLM's processes talk to each other through loopback.
            .filter((address) => !(kind === "vllm" && address.startsWith("0100007F"))),
        );
        expect(listening).toEqual([]);
        const socket = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").at(-2) ?? "";
        expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
        expect(statSync(dirname(socket)).uid).toBe(process.getuid?.());
      },
    );

    test.skipIf(!isLinux)(`has no route but the contract's (WK-12)${notLinux}`, async () => {
      const pid = await engine.workerPid();
      const socket = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").at(-2) ?? "";
      for (const path of ["/", "/health", "/metrics", "/v1/models", "/docs", "/debug/pprof"]) {
        const status = await statusOf(socket, path);
        // A gRPC server says "unimplemented" with status 200 and no body, or 4xx.
        expect([path, status === 200]).toEqual([path, false]);
      }
      expect((await ask(engine, text, greedily(2))).tokenIds).toHaveLength(2);
    });

    test("lives on after a picture that is none", async () => {
      const torn = { ...picture, pixels: picture.pixels.subarray(0, 100) };
      await expect(ask(engine, promptOf([1, 256], [torn]), greedily(2))).rejects.toMatchObject({
        code: "worker_failed",
        message: expect.stringMatching(/still running/),
      });
      expect((await ask(engine, text, greedily(2))).tokenIds).toHaveLength(2);
    });
  });

  describe.skipIf(lacks !== undefined)("killed", () => {
    // The native engine's has its turn in bad-worker.test.ts.
    test.skipIf(process.platform === "win32" || kind === "native")(
      "one that is stopped is taken for lost, ended and replaced (WK-03; skipped on Windows, which has no SIGSTOP)",
      async () => {
        await using engine = await start(tiny, {}, {}, 4_000);
        const pid = await engine.workerPid();
        const answer = ask(engine, text, greedily(1_900));
        while ((await engine.stats()).numRunning === 0) await sleep(5);
        process.kill(pid, "SIGSTOP");
        await expect(answer).rejects.toMatchObject({ code: "worker_timed_out" });
        expect((await ask(engine, text, greedily(2))).tokenIds).toHaveLength(2);
        expect(await engine.workerPid()).not.toBe(pid);
        expect(isAlive(pid)).toBe(false);
      },
    );

    test("fails its answers within a second, leaves its last words, and is started again (WK-01, WK-15, G-05)", async () => {
      const ends: WorkerEnd[] = [];
      await using engine = await start(tiny, {}, { onUnexpectedEnd: (end) => ends.push(end) });
      const pid = await engine.workerPid();
      const expected = (await ask(engine, seeing, greedily(4))).tokenIds;
      // A form of an answer is kept by processes of its own in Python, by threads otherwise.
      const held = greedily(2, { grammar: 'root ::= "ab"', stopTokenIds: [tokenId(2)] });
      await ask(engine, text, held);
      const children = isLinux ? childrenOf(pid) : [];
      if (isLinux && kind !== "native") expect(children.length).toBeGreaterThanOrEqual(2);
      const answers = Array.from({ length: 3 }, () => ask(engine, text, greedily(1_900)));
      while ((await engine.stats()).numRunning < 3) await sleep(5);
      const killedAt = performance.now();
      process.kill(pid, "SIGKILL");
      for (const result of await Promise.allSettled(answers)) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "worker_failed" } });
      }
      expect(performance.now() - killedAt).toBeLessThan(1_000);
      for (let wait = 0; children.some(isAlive) && wait < 250; wait++) await sleep(20);
      expect(children.filter(isAlive)).toEqual([]);
      expect((await ask(engine, seeing, greedily(4))).tokenIds).toEqual(expected);
      expect(await engine.workerPid()).not.toBe(pid);
      expect(ends[0]).toMatchObject({ exitSignal: "SIGKILL" });
      expect(ends[0]?.lastLines.join()).toContain("model loaded");
      await engine[Symbol.asyncDispose]();
      // One that is stopped has none.
      expect(ends).toHaveLength(1);
    });
  });

  describe.skipIf(lacks !== undefined)("loading", () => {
    afterEach(() => vi.unstubAllEnvs());

    test("what is no checkpoint says so, and leaves no process and no socket behind", async () => {
      // Other tests put theirs beside ours otherwise.
      vi.stubEnv("TMPDIR", await mkdtemp(join(tmpdir(), "atalaya-test-")));
      await expect(start(join(tiny, "nowhere"))).rejects.toMatchObject({ code: "model_not_found" });
      await expect(start(dirname(fileURLToPath(import.meta.url)))).rejects.toMatchObject({
        code: "model_not_found",
      });
      await expect(start(tiny, { maxModelLen: 1e9 })).rejects.toMatchObject({
        code: "invalid_request",
        message: expect.stringMatching(/--max-model-len 1000000000 is more than the \d+ positions/),
      });
      expect((await readdir(tmpdir())).filter((name) => name.startsWith("atalaya-"))).toEqual([]);
    });

    test.skipIf(process.platform === "win32")(
      "its platform's death is its own, and it takes its socket with it (WK-08)",
      async () => {
        vi.stubEnv("TMPDIR", await mkdtemp(join(tmpdir(), "atalaya-test-")));
        const support = fileURLToPath(new URL("../support/engines.ts", import.meta.url));
        const script = `
          import { testedEngines } from ${JSON.stringify(support)};
          const { start } = testedEngines.find(({ kind }) => kind === ${JSON.stringify(kind)});
          const engine = await start(${JSON.stringify(tiny)});
          console.log(await engine.workerPid());
          setInterval(() => {}, 1000);
        `;
        const parent = spawn(
          process.execPath,
          ["--import", "tsx", "--input-type=module", "-e", script],
          { stdio: ["ignore", "pipe", "inherit"] },
        );
        const pid = await new Promise<number>((resolve) =>
          parent.stdout.once("data", (data: Buffer) => resolve(Number(data.toString()))),
        );
        const sockets = async () =>
          (await readdir(tmpdir())).filter((name) => name.startsWith("atalaya-"));
        expect(await sockets()).toHaveLength(1);
        parent.kill("SIGKILL");
        for (let wait = 0; isAlive(pid) && wait < 250; wait++) await sleep(20);
        expect(isAlive(pid)).toBe(false);
        expect(await sockets()).toEqual([]);
      },
    );
  });

  describe.skipIf(lacks !== undefined).each(profiles)("greedy, profile %s", (profile) => {
    const models = ["tiny-a", "tiny-b", "tiny-c"].filter((model) => !refuses.includes(model));
    test.each(models)("%s: the reference's tokens", async (model) => {
      await using engine = await start(goldenCheckpoint(model), { profile });
      const all = manifest.cases.filter((one) => one.model === model);
      const cases = isSlow === true ? all.slice(0, 4) : all;
      expect(cases.length).toBeGreaterThan(3);
      const answers = await Promise.all(
        cases.map((one) => {
          const { generatedIds } = one.profiles[profile];
          return ask(engine, goldenPrompt(one), greedily(generatedIds.length));
        }),
      );
      for (const [index, one] of cases.entries()) {
        const { generatedIds } = one.profiles[profile];
        expect([one.case, answers[index]?.tokenIds]).toEqual([one.case, generatedIds]);
      }
    });

    test.skipIf(shipped === undefined)("the demo model: the reference's answers", async () => {
      await using engine = await start(shipped ?? "", { profile });
      for (const { case: name, picture: file, promptIds, profiles: expected } of demoCases) {
        const pictures = file === null ? [] : [await demoPicture(file)];
        const { generatedIds } = expected[profile];
        const sampling = greedily(generatedIds.length);
        const { tokenIds } = await ask(engine, promptOf(promptIds, pictures), sampling);
        expect([name, tokenIds]).toEqual([name, generatedIds]);
      }
    });
  });
});
