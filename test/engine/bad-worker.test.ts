/** Workers that have gone bad: real processes that listen where a worker should, and say what none should. */
import { readdirSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { processArguments, workerEntry } from "../../src/base/worker-entry.ts";
import type { EngineLoadOptions } from "../../src/engines/engine.ts";
import { type WorkerCommand, WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import { goldenCheckpoint } from "../support/golden.ts";
import { ask, greedily, promptOf } from "../support/native-engine.ts";

vi.setConfig({ testTimeout: 120_000 });

const text = promptOf([1, 20, 30], []);
const options: EngineLoadOptions = {
  directory: goldenCheckpoint("tiny-a"),
  profile: "ref",
  maxModelLen: undefined,
  maxNumSeqs: undefined,
  kvCacheDtype: undefined,
  numThreads: 1,
};

const native: WorkerCommand = {
  kind: "native",
  args: processArguments(
    workerEntry(
      new URL("../../src/engines/native/native-driver.ts", import.meta.url).href,
      "./worker-main",
    ),
  ),
};

async function start(
  command: WorkerCommand,
  hooks: Partial<Parameters<typeof WorkerDriver.start>[1]> = {},
): Promise<WorkerDriver> {
  return await WorkerDriver.start(
    options,
    { signal: new AbortController().signal, onProgress: () => {}, onLog: () => {}, ...hooks },
    command,
  );
}

/** A program that listens at its last argument, and answers each connection by `body`, which sees `socket`. */
const scripted = (body: string): WorkerCommand => ({
  kind: "native",
  args: [
    "-e",
    `const { createServer } = require("node:net");
     process.stdin.resume().once("close", () => process.exit(0));
     createServer((socket) => { socket.on("error", () => {}); ${body} })
       .listen(process.argv.at(-1), () => console.log("ready"));`,
  ],
});

describe("a worker that is no worker (WK-02)", () => {
  test.each([
    { why: "ends without a word", body: "process.exit(0);" },
    { why: "sends garbage", body: "socket.write(require('node:crypto').randomBytes(65536));" },
    {
      why: "sends garbage without end",
      body: "const chunk = Buffer.alloc(1e6, 'x'); const on = () => { while (socket.write(chunk)); socket.once('drain', on); }; on();",
    },
    {
      why: "speaks HTTP/1",
      body: "socket.end('HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok');",
    },
    // The head of a frame of 16 MiB - 1, and no more.
    {
      why: "sends half a frame",
      body: "socket.end(Buffer.from('ffffff0000000000010000', 'hex'));",
    },
  ])("that $why fails the launch with a sentence, and costs no memory", async ({ body }) => {
    const before = process.memoryUsage().rss;
    await expect(start(scripted(body))).rejects.toMatchObject({
      name: "PlatformError",
      code: "worker_failed",
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });
});

describe.skipIf(process.platform === "win32")("a worker that is stopped", () => {
  test("under an answer is ended, the answer told, and the next one given (WK-03)", async () => {
    await using engine = await start({ ...native, stallPatienceMs: 3_000 });
    const pid = await engine.workerPid();
    const answer = ask(engine, text, greedily(1_900));
    while ((await engine.stats()).numRunning === 0) await sleep(5);
    process.kill(pid, "SIGSTOP");
    const stoppedAt = performance.now();
    await expect(answer).rejects.toMatchObject({
      code: "worker_timed_out",
      message: expect.stringContaining("gave no sign of life"),
    });
    expect(performance.now() - stoppedAt).toBeLessThan(20_000);
    expect((await ask(engine, text, greedily(2))).tokenIds).toHaveLength(2);
    expect(await engine.workerPid()).not.toBe(pid);
  });

  test("while nobody asks is left alone, and goes on", async () => {
    await using engine = await start({ ...native, stallPatienceMs: 1_500 });
    const pid = await engine.workerPid();
    process.kill(pid, "SIGSTOP");
    await sleep(3_000);
    process.kill(pid, "SIGCONT");
    expect((await ask(engine, text, greedily(2))).tokenIds).toHaveLength(2);
    expect(await engine.workerPid()).toBe(pid);
  });
});

describe.skipIf(process.platform !== "linux")("a worker's process", () => {
  test("has its own three streams and its socket, no file of ours (WK-06), and listens nowhere else (WK-07, WK-12)", async () => {
    await using engine = await start(native);
    const pid = await engine.workerPid();
    const open = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
    const named = open.filter((target) => target.startsWith("/") && !target.startsWith("/dev/"));
    for (const path of named) {
      expect(path).toMatch(/^(\/proc\/|.*\.(safetensors|json|so(\.\d+)*|node|bin)$)/);
    }
    // Its sockets: the one it listens on, connections to it, and pipes of its own; none of the internet.
    const inodes = open.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
    for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
      const lines = await readFile(`/proc/${pid}/net/${table}`, "utf8").catch(() => "");
      const used = lines.split("\n").map((line) => line.trim().split(/\s+/)[9]);
      expect(used.filter((inode) => inode !== undefined && inodes.includes(inode))).toEqual([]);
    }
  });

  test("another user cannot reach its socket (WK-07)", async ({ skip }) => {
    if (process.getuid?.() !== 0 || process.seteuid === undefined) {
      skip("only root can become another user");
      return;
    }
    await using engine = await start(native);
    const pid = await engine.workerPid();
    const arguments_ = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0");
    const path = arguments_.findLast((argument) => argument.includes("/atalaya-")) ?? "";
    expect(path).not.toBe("");
    process.seteuid(65_534);
    try {
      const outcome = await new Promise<string>((resolve) => {
        const socket = connect(path);
        socket.once("connect", () => resolve("connected"));
        socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
      });
      expect(outcome).toBe("EACCES");
    } finally {
      process.seteuid(0);
    }
  });
});

test("a worker's command line holds no secret (LG-06)", { timeout: 60_000 }, async ({ skip }) => {
  if (process.platform !== "linux") {
    skip("only Linux shows it");
    return;
  }
  vi.stubEnv("HF_TOKEN", "hf_canary");
  try {
    await using engine = await start(native);
    const pid = await engine.workerPid();
    expect(await readFile(`/proc/${pid}/cmdline`, "utf8")).not.toContain("canary");
    expect(await readFile(`/proc/${pid}/environ`, "utf8")).not.toContain("canary");
  } finally {
    vi.unstubAllEnvs();
  }
});
