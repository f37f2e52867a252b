/** With real processes. */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Child } from "./child.ts";

/** Ends when its standard input does, as our workers do. */
const polite = `
  process.stdin.resume();
  process.stdin.once("close", () => process.exit(0));
`;

function start(script: string, options: Partial<Parameters<typeof Child.start>[0]> = {}) {
  const log: string[] = [];
  const child = Child.start({
    args: ["-e", script],
    readyTimeoutMs: 10_000,
    onLog: (line) => log.push(line),
    ...options,
  });
  return { child, log };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function untilGone(pid: number): Promise<void> {
  for (let wait = 0; isAlive(pid); wait++) {
    if (wait > 100) throw new Error(`process ${pid} is still there`);
    await sleep(20);
  }
}

describe("starting", () => {
  test.each([
    {
      script: "process.exit(3)",
      says: /ended while it started \(exit code 3\)\. It said nothing\./,
    },
    {
      script: 'console.error("no such library"); process.exit(3)',
      says: /\(exit code 3\)\. Its last words are in the server's log/,
    },
  ])("that fails says whether there is more to read: $script", async ({ script, says }) => {
    await expect(start(script).child).rejects.toThrow(says);
  });

  test("waits for the first line, and forwards what is logged", async () => {
    const { child, log } = start(
      `${polite} console.error("warming up"); setTimeout(() => console.log("ready"), 50);`,
    );
    const started = await child;
    expect(isAlive(started.pid)).toBe(true);
    expect(log).toEqual(["warming up"]);
    expect(await started.stop({ graceMs: 5_000 })).toEqual({ code: 0, signal: null });
  });

  test("one that ends first is worker_failed with its exit code", async () => {
    const { child } = start("process.exit(3)");
    await expect(child).rejects.toMatchObject({
      code: "worker_failed",
      message: expect.stringContaining("exit code 3"),
    });
  });

  test("one that says nothing is worker_timed_out, and not left behind", async () => {
    const { child, log } = start(`${polite} console.error(process.pid);`, { readyTimeoutMs: 400 });
    await expect(child).rejects.toMatchObject({ code: "worker_timed_out" });
    await untilGone(Number(log[0]));
  });

  test("can be given up", async () => {
    const { child } = start(polite, { signal: AbortSignal.timeout(100) });
    await expect(child).rejects.toMatchObject({ code: "cancelled" });
  });
});

test("its environment holds what is on the list and what it was given, no secret of ours (WK-05)", async () => {
  process.env["HF_TOKEN"] = "hf_secret";
  try {
    const { child, log } = start(
      `${polite} console.error(JSON.stringify(process.env)); console.log("ready");`,
      { env: { ATALAYA_GIVEN: "yes" } },
    );
    await (await child).stop({ graceMs: 5_000 });
    const seen = JSON.parse(log[0] ?? "{}") as Record<string, string>;
    expect(seen).toMatchObject({ ATALAYA_GIVEN: "yes", PATH: process.env["PATH"] });
    expect(JSON.stringify(seen)).not.toContain("hf_secret");
    expect(Object.keys(seen)).not.toContain("npm_config_user_agent");
  } finally {
    delete process.env["HF_TOKEN"];
  }
});

test("one that does not listen is killed after the grace, with what it started (WK-13, WK-15)", async () => {
  const { child, log } = start(`
    const own = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    console.error(own.pid);
    console.log("ready");
    setInterval(() => {}, 1000);
  `);
  const started = await child;
  const exit = await started.stop({ graceMs: 200 });
  expect(exit.signal).toBe("SIGKILL");
  await untilGone(Number(log[0]));
});

test("one that is killed takes with it what it started", async () => {
  const { child, log } = start(`
    const own = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    console.error(own.pid);
    console.log("ready");
    setInterval(() => {}, 1000);
  `);
  const { pid, exited } = await child;
  while (log.length === 0) await sleep(20);
  process.kill(pid, "SIGKILL");
  await exited;
  await untilGone(Number(log[0]));
});

test("a flood of log lines is cut, and long lines too (WK-04)", async () => {
  const { child, log } = start(
    `${polite} console.error("x".repeat(100000) + "\\n" + "y\\n".repeat(50000)); console.log("ready");`,
  );
  await (await child).stop({ graceMs: 5_000 });
  expect(log[0]).toHaveLength(4_096);
  expect(log.length).toBeLessThanOrEqual(3 * 200);
});

test("a line that never ends is not waited for", async () => {
  const { child, log } = start(
    `${polite} process.stderr.write("x".repeat(100000), () => console.log("ready"));`,
  );
  const started = await child;
  for (let wait = 0; log.length === 0 && wait < 100; wait++) await sleep(20);
  expect(log[0]).toHaveLength(4_096);
  await started.stop({ graceMs: 5_000 });
  expect(log).toHaveLength(1);
});

test.skipIf(process.platform === "win32")(
  "when we are killed, it ends by itself (WK-08)",
  async () => {
    // A parent of its own, which starts a child as we do and then dies without a word.
    const module = fileURLToPath(new URL("./child.ts", import.meta.url));
    const script = `
    import { Child } from ${JSON.stringify(module)};
    const child = await Child.start({
      args: ["-e", ${JSON.stringify(`${polite} console.log("ready");`)}],
      readyTimeoutMs: 10_000,
      onLog: () => {},
    });
    console.log(child.pid);
  `;
    const parent = spawn(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", script],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once("data", (data: Buffer) => resolve(Number(data.toString()))),
    );
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await untilGone(pid);
  },
);
