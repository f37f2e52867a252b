import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lockFile, tryLockFile } from "./file-lock.ts";

const run = promisify(execFile);
const lacks = await run("python3", ["-c", "import fcntl"]).then(
  () => undefined,
  () => "python3 with fcntl",
);

let directory = "";
let path = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lock-"));
  path = join(directory, "file.lock");
});
afterEach(async () => await rm(directory, { recursive: true }));

describe.skipIf(process.platform === "win32")("a file lock", () => {
  test("is held by one at a time, and is free after it", async () => {
    const first = await lockFile(path);
    expect(await tryLockFile(path)).toBeUndefined();
    let hasWaited = false;
    const second = lockFile(path, { onWait: () => (hasWaited = true) });
    await sleep(80);
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
    expect(hasWaited).toBe(true);
  });

  test("is waited for no longer than wished", async () => {
    await using _ = await lockFile(path);
    const signal = AbortSignal.timeout(60);
    await expect(lockFile(path, { signal })).rejects.toThrow();
  });

  test("on a file that somebody removed excludes nobody, so another is taken", async () => {
    await using _ = await lockFile(path);
    await unlink(path);
    await using again = await tryLockFile(path);
    expect(again).toBeDefined();
    expect(await tryLockFile(path)).toBeUndefined();
  });

  const title = lacks === undefined ? "" : ` (skipped: there is no ${lacks})`;
  test.skipIf(lacks !== undefined)(`excludes Python's, both ways${title}`, async () => {
    const flags = "fcntl.LOCK_EX | fcntl.LOCK_NB";
    const python = (after: string): string[] => [
      "-c",
      `import fcntl, os, sys\nf = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\nfcntl.flock(f, ${flags})\n${after}`,
      path,
    ];
    const ours = await lockFile(path);
    await expect(run("python3", python(""))).rejects.toThrow(/BlockingIOError/);
    await ours[Symbol.asyncDispose]();

    const holder = spawn("python3", python("print('held', flush=True); sys.stdin.read()"));
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    expect(await tryLockFile(path)).toBeUndefined();
    // Even a process that is killed leaves no lock behind.
    holder.kill("SIGKILL");
    await (await lockFile(path))[Symbol.asyncDispose]();
  });
});
