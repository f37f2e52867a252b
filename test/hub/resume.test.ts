/** Downloads that are stopped, gently and not, and go on. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { packageRoot } from "../../src/config/package.ts";
import { partedLimits } from "../support/hub/limits.ts";
import { TestClient } from "../support/hub/pull-from.ts";
import { etagOf, largeFile, sha256Of, smallFile } from "../support/hub/repo-content.ts";
import { TestHub } from "../support/hub/test-hub.ts";

const shard = "model.safetensors";
const length = 8_000_000;
const files = [smallFile("config.json", "{}"), largeFile(shard, length)];
const numParts = 4;

vi.setConfig({ testTimeout: 400_000 });

let hub: TestHub;
let client: TestClient;
beforeEach(async () => {
  hub = await TestHub.start();
  client = await TestClient.for(hub);
  hub.addRepo("a/b", files);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

const blobs = (): string => join(client.hubCache, "models--a--b", "blobs");
const partial = (): string =>
  join(blobs(), `${sha256Of(files[1]?.bytes ?? Buffer.alloc(0))}.atalaya.incomplete`);

/** The same numbers on every run. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

describe("a download that is stopped and started a hundred times", () => {
  test("is whole in the end, and no byte that was written is fetched twice", async () => {
    hub.fault({ at: "cdn", does: { type: "slow", chunkBytes: 16_384, everyMs: 1 } });
    const random = seededRandom(7);
    let doneBytes = 0;
    let numStops = 0;
    while (numStops < 100) {
      const stop = new AbortController();
      const stopAt = doneBytes + Math.floor(random() * 40_000);
      const work = client.pull("a/b", {
        limits: partedLimits,
        options: {
          signal: stop.signal,
          onEvent: (event) => {
            if (event.type === "plan") {
              // What was written before is there, to the byte.
              expect(event.files.find(({ path }) => path === shard)?.hereBytes).toBe(doneBytes);
            } else if (event.type === "file-progress" && event.path === shard) {
              expect(event.doneBytes).toBeGreaterThan(doneBytes);
              doneBytes = event.doneBytes;
              if (doneBytes >= stopAt) stop.abort(new Error("stopped"));
            }
          },
        },
      });
      const ended = await work.then(
        () => "whole",
        (error: unknown) => String(error),
      );
      if (ended === "whole") break;
      expect(ended).toBe("Error: stopped");
      numStops++;
    }
    expect(numStops).toBe(100);
    hub.faults.clear();
    const { directory } = await client.pull("a/b", { limits: partedLimits });
    expect(sha256Of(await readFile(join(directory, shard)))).toBe(
      sha256Of(files[1]?.bytes ?? Buffer.alloc(0)),
    );
  });
});

describe("a download that is killed", () => {
  const child = join(packageRoot(), "dist/test/support/hub/pull-in-child.js");

  type Ended = { here: number; done: number; isWhole: boolean; signal: string | null };

  /** Until it ends by itself, or by its own hand. */
  async function pullInChild(step: string, count: number): Promise<Ended> {
    const started = spawn(process.execPath, [child, client.home, step, `${count}`], {
      env: { ...process.env, ...client.env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    started.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    const signal = await new Promise<string | null>((resolve) => {
      started.once("close", (_, by) => resolve(by));
    });
    const last = (word: string): number =>
      Number([...said.matchAll(new RegExp(`^${word} (\\d+)$`, "gm"))].at(-1)?.[1] ?? Number.NaN);
    return { here: last("here"), done: last("done"), isWhole: said.endsWith("whole\n"), signal };
  }

  test("at every step goes on, has nothing unverified under a final name, and leaves nothing behind (DL-01, G-07)", async () => {
    if (!existsSync(child)) throw new Error("Build first: npm run build");
    hub.fault({ at: "cdn", does: { type: "slow", chunkBytes: 32_768, everyMs: 1 } });
    const kills: [step: string, count: number][] = [
      ["partial-opened", 2],
      ["chunk-written", 1],
      ["chunk-written", 29],
      ["synced", 3],
      ["record-written", 1],
      ["chunk-written", 53],
      ["record-written", 9],
      ["synced", 12],
      ["verified", 2],
      ["placed", 1],
      ["placed", 2],
      ["finished", 1],
    ];
    let before = 0;
    for (const [step, count] of kills) {
      const { here, done, isWhole, signal } = await pullInChild(step, count);
      // The second file may be there already; then a step does not come so often.
      if (!isWhole) expect(`${step} ${signal}`).toBe(`${step} SIGKILL`);
      // Of every part at most the unsynced bytes are lost, and the chunk that was being written.
      expect(before - here).toBeLessThanOrEqual(numParts * (partedLimits.syncBytes + 65_536));
      before = Number.isNaN(done) ? here : done;
      await expectOnlyVerified();
    }
    const last = await pullInChild("never", 0);
    expect(last).toMatchObject({ isWhole: true, signal: null, here: length });
    expect((await readdir(blobs())).toSorted()).toEqual(files.map(etagOf).toSorted());
  });

  test("a hundred times at random points comes whole, and fetches again no more than was not synced (DL-01)", async () => {
    if (!existsSync(child)) throw new Error("Build first: npm run build");
    // As fast as a home connection, so that lives of some hundred kilobytes are common.
    hub.fault({ at: "cdn", does: { type: "slow", chunkBytes: 32_768, everyMs: 1 } });
    const random = seededRandom(11);
    // Of every part what is not synced, and the chunk that was being written.
    const lossBytes = numParts * (partedLimits.syncBytes + 65_536);
    let numKills = 0;
    let numWhole = 0;
    let before = 0;
    let numKillsOfThis = 0;
    let writtenBytes = 0;
    while (numKills < 100) {
      const lives = Math.ceil(random() * 60);
      const { here, done, isWhole } = await pullInChild("chunk-written", lives);
      expect(before - here).toBeLessThanOrEqual(lossBytes);
      before = Number.isNaN(done) ? here : done;
      writtenBytes += before - here;
      if (isWhole) {
        expect(writtenBytes).toBeGreaterThanOrEqual(length);
        expect(writtenBytes).toBeLessThanOrEqual(length + numKillsOfThis * lossBytes);
        await expectOnlyVerified();
        expect((await readdir(blobs())).toSorted()).toEqual(files.map(etagOf).toSorted());
        await (
          await (await client.open()).planRemoval("a/b", { hub: undefined, revision: undefined })
        ).remove();
        numWhole++;
        before = 0;
        numKillsOfThis = 0;
        writtenBytes = 0;
      } else {
        numKills++;
        numKillsOfThis++;
      }
    }
    const last = await pullInChild("never", 0);
    expect(last.isWhole).toBe(true);
    await expectOnlyVerified();
    expect(numWhole).toBeGreaterThan(3);
  });

  async function expectOnlyVerified(): Promise<void> {
    for (const file of files) {
      const path = join(blobs(), etagOf(file));
      if (existsSync(path)) expect((await readFile(path)).equals(file.bytes)).toBe(true);
    }
    const isNamed = existsSync(join(client.hubCache, "models--a--b", "refs", "main"));
    if (isNamed) expect((await (await client.open()).find("a/b"))?.missing).toEqual([]);
  }
});

describe("what an earlier download left (DL-16)", () => {
  async function stopHalfway(): Promise<void> {
    hub.fault({ at: "cdn", does: { type: "cut", afterBytes: 500_000 } });
    const limits = { ...partedLimits, maxAttempts: 1 };
    await expect(client.pull("a/b", { limits })).rejects.toMatchObject({ code: "hub_unavailable" });
    hub.faults.clear();
    hub.log.length = 0;
  }

  async function goOn(): Promise<number> {
    const { directory, receivedBytes } = await client.pull("a/b", { limits: partedLimits });
    expect(sha256Of(await readFile(join(directory, shard)))).toBe(
      sha256Of(files[1]?.bytes ?? Buffer.alloc(0)),
    );
    return receivedBytes;
  }

  test("is gone on with", async () => {
    await stopHalfway();
    expect(await goOn()).toBeLessThan(length);
  });

  test.each([
    { why: "is no JSON", record: () => "{" },
    { why: "says too much", record: (text: string) => text.replace(/"done":\d+/, '"done":1e15') },
    {
      why: "has overlapping parts",
      record: (text: string) => text.replace(/"start":2000000/, '"start":1'),
    },
    { why: "is of another file", record: (text: string) => text.replace(/sha256:./, "sha256:z") },
    {
      why: "is of another size",
      record: (text: string) => text.replace(/"size_bytes":8/, '"size_bytes":9'),
    },
    {
      why: "is of a later version",
      record: (text: string) => text.replace('"version":1', '"version":2'),
    },
  ])("is fetched anew when its record $why", async ({ record }) => {
    await stopHalfway();
    const path = `${partial()}.json`;
    const text = await readFile(path, "utf8");
    expect(record(text)).not.toBe(text);
    await writeFile(path, record(text));
    expect(await goOn()).toBe(length);
  });

  test("is fetched anew when the file is shorter than its record says", async () => {
    await stopHalfway();
    await writeFile(partial(), "");
    const { directory } = await client.pull("a/b", { limits: partedLimits });
    expect((await readFile(join(directory, shard))).length).toBe(length);
  });

  test("is thrown away when its bytes turn out to be others", async () => {
    await stopHalfway();
    const bytes = await readFile(partial());
    bytes.fill(0, 0, 1_000);
    await writeFile(partial(), bytes);
    await goOn();
  });

  test("does not count for a file that has changed on the hub (DL-04)", async () => {
    await stopHalfway();
    const changed = { ...largeFile("other", length), path: shard };
    hub.moveBranch("a/b", [smallFile("config.json", "{}"), changed]);
    const { directory } = await client.pull("a/b", { limits: partedLimits });
    expect(sha256Of(await readFile(join(directory, shard)))).toBe(sha256Of(changed.bytes));
  });
});
