/** Files in the caches that are not what was downloaded: found by `verifyDirectory`, and before a directory is loaded. */
import { cpSync, readdirSync, realpathSync, statSync, utimesSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { verifyBeforeLoad } from "../../src/hub/first-load.ts";
import { VerifiedFiles } from "../../src/hub/verified-files.ts";
import { verifyDirectory } from "../../src/hub/verify-directory.ts";
import { TestClient } from "../support/hub/pull-from.ts";
import { sha256Of } from "../support/hub/repo-content.ts";
import { TestHub } from "../support/hub/test-hub.ts";
import { tinyRepo, tinyRepoId } from "../support/hub/tiny-repo.ts";

const shard = "model-00002-of-00002.safetensors";

let hub: TestHub;
let client: TestClient;
let verified: VerifiedFiles;
beforeEach(async () => {
  hub = await TestHub.start();
  hub.addRepo(tinyRepoId, tinyRepo());
  client = await TestClient.for(hub);
  verified = new VerifiedFiles(join(client.home, "verified"));
});
afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
});

/** How many bytes were read for it. */
async function load(directory: string): Promise<number> {
  let bytesRead = 0;
  await verifyBeforeLoad(directory, {
    verified,
    signal: new AbortController().signal,
    onProgress: ({ totalBytes }) => {
      bytesRead = totalBytes;
    },
  });
  return bytesRead;
}

async function check(directory: string) {
  const { signal } = new AbortController();
  return await verifyDirectory(directory, {
    verified,
    isThorough: true,
    signal,
    onProgress: () => {},
  });
}

/** One byte of a file, with its time of change put back where that is asked for. */
async function flipByte(path: string, { keepsTime = false } = {}): Promise<void> {
  const real = realpathSync(path);
  const { atime, mtime } = statSync(real);
  const bytes = await readFile(real);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  await writeFile(real, bytes);
  if (keepsTime) utimesSync(real, atime, mtime);
}

describe("a directory of Hugging Face's cache", () => {
  test("that another program filled is read at its first load, and not at the second", async () => {
    const { directory } = await client.pull(tinyRepoId);
    expect(await load(directory)).toBeGreaterThan(600_000);
    expect(await load(directory)).toBe(0);
    // Written anew with the same bytes, it is another file.
    const path = realpathSync(join(directory, shard));
    await writeFile(path, await readFile(path));
    expect(await load(directory)).toBe(300_000);
  });

  test("that was downloaded by us is not read again", async () => {
    const { directory } = await client.pull(tinyRepoId, { verified });
    expect(await load(directory)).toBe(0);
  });

  test("in which a byte was flipped is refused with the file and the command that mends it (DL-15)", async () => {
    const { directory } = await client.pull(tinyRepoId, { verified });
    await flipByte(join(directory, shard));
    await expect(load(directory)).rejects.toMatchObject({
      code: "checksum_mismatch",
      message: expect.stringMatching(
        /^model-00002-of-00002\.safetensors is damaged: it has the SHA-256 \w{12}…, and was stored as \w{12}…\. Fetch what is damaged anew: atalaya pull meta-llama\/Llama-3\.2-11B-Vision-Instruct --verify$/,
      ),
    });
    await expect(load(directory)).rejects.toMatchObject({ code: "checksum_mismatch" });
    await client.pull(tinyRepoId, { verified, options: { verify: true } });
    expect(await load(directory)).toBe(0);
  });

  test("in which a small file was changed, without a list of its files (DL-15)", async () => {
    const { directory } = await client.pull(tinyRepoId);
    await rm(join(dirname(dirname(directory)), "trees"), { recursive: true });
    await flipByte(join(directory, "config.json"));
    await expect(load(directory)).rejects.toThrow(/config\.json is damaged: it has the git SHA-1/);
  });

  test("whose branch is elsewhere is mended at its own commit", async () => {
    const { directory, commit } = await client.pull(tinyRepoId);
    await writeFile(join(dirname(dirname(directory)), "refs", "main"), "0".repeat(40));
    await flipByte(join(directory, shard));
    await expect(load(directory)).rejects.toThrow(`--revision ${commit} --verify`);
  });

  test("is read whole when that is asked for, whatever its times say (DL-15)", async () => {
    const { directory } = await client.pull(tinyRepoId, { verified });
    const { numSound, unknown, damaged } = await check(directory);
    expect({ unknown, damaged }).toEqual({ unknown: [], damaged: [] });
    // Without the pickle and git's own, which are not downloaded.
    expect(numSound).toBe(7);
    await flipByte(join(directory, shard), { keepsTime: true });
    await flipByte(join(directory, "original/params.json"), { keepsTime: true });
    expect((await check(directory)).damaged.map(({ path }) => path)).toEqual([
      shard,
      "original/params.json",
    ]);
  });

  test("that cannot be kept record of is read each time", async () => {
    await writeFile(join(client.home, "verified"), "a file where the directory should be");
    const { directory } = await client.pull(tinyRepoId, { verified });
    expect(await load(directory)).toBeGreaterThan(600_000);
    expect(await load(directory)).toBeGreaterThan(600_000);
  });

  test("leaves no record when it is removed", async () => {
    await client.pull(tinyRepoId, { verified });
    expect(readdirSync(join(client.home, "verified"))).toHaveLength(7);
    const opened = await client.open({ verified });
    const removal = await opened.planRemoval(tinyRepoId, { hub: undefined, revision: undefined });
    await removal.remove();
    expect(readdirSync(join(client.home, "verified"))).toEqual([]);
  });

  test("is given up when nobody waits any more", async () => {
    const { directory } = await client.pull(tinyRepoId);
    const stop = new AbortController();
    const loading = verifyBeforeLoad(directory, {
      verified,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error("enough")),
    });
    await expect(loading).rejects.toThrow("enough");
  });
});

describe("a directory of ModelScope's cache", () => {
  test("is compared with our list, and mended there (DL-15)", async () => {
    const options = { hub: "modelscope" } as const;
    const { directory } = await client.pull(tinyRepoId, { verified, options });
    expect(await load(directory)).toBe(0);
    await flipByte(join(directory, shard));
    await expect(load(directory)).rejects.toThrow(
      /model-00002-of-00002\.safetensors is damaged.*atalaya pull \S+ --hub modelscope --verify$/,
    );
  });

  test("without a list has nothing to compare with", async () => {
    const options = { hub: "modelscope" } as const;
    const { directory } = await client.pull(tinyRepoId, { options });
    await rm(join(dirname(dirname(directory)), "atalaya"), { recursive: true });
    expect(await load(directory)).toBe(0);
    expect((await check(directory)).unknown).toContain(shard);
  });
});

test("a blob of Ollama's is compared with its name (DL-15)", async () => {
  const bytes = Buffer.from("GGUF and more");
  const blob = join(client.home, `sha256-${sha256Of(bytes)}`);
  await writeFile(blob, bytes);
  const directory = join(client.home, "gguf", "0123");
  await mkdir(directory, { recursive: true });
  await symlink(blob, join(directory, "model.gguf"));
  await writeFile(join(directory, "config.json"), "{}");
  expect(await load(directory)).toBe(bytes.length);
  expect(await load(directory)).toBe(0);
  await flipByte(blob);
  await expect(load(directory)).rejects.toThrow(
    /model\.gguf is damaged.* Remove \S+sha256-\w+, then fetch the model again with ollama pull\.$/,
  );
});

test("a directory of somebody's own passes", async () => {
  const { directory } = await client.pull(tinyRepoId);
  const own = join(client.home, "own");
  cpSync(directory, own, { recursive: true, dereference: true });
  expect(await load(own)).toBe(0);
});
