/** The shipped program against the test hub: what a person types, sees and interrupts. */
import { existsSync, realpathSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { TestClient } from "../support/hub/pull-from.ts";
import { sha256Of } from "../support/hub/repo-content.ts";
import { checkpointFiles, startIn, until } from "../support/hub/shell.ts";
import { TestHub } from "../support/hub/test-hub.ts";
import { tinyRepo, tinyRepoId } from "../support/hub/tiny-repo.ts";
import { killAll, requireBuild } from "../support/program.ts";

let hub: TestHub;
let client: TestClient;

// Each test starts the program several times.
vi.setConfig({ testTimeout: 120_000 });

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

const start = (args: readonly string[], env?: NodeJS.ProcessEnv) => startIn(client, args, env);
const atalaya = (...args: readonly string[]) => start(args).ended;

describe("pull, cached, run, remove-cache", () => {
  test("from nothing to an answer", async () => {
    hub.addRepo("a/tiny", await checkpointFiles(), { licence: "llama3.2" });
    const before = await atalaya("run", "a/tiny", "hello", "--no-download");
    expect(before.stderr).toBe(
      "atalaya: a/tiny is not on this machine. Download it first: atalaya pull a/tiny\n",
    );
    expect(before.exitCode).toBe(66);

    const pulled = await atalaya("pull", "a/tiny");
    expect(pulled.exitCode).toBe(0);
    expect(existsSync(join(pulled.stdout.trim(), "config.json"))).toBe(true);
    expect(pulled.stderr).toMatch(
      /^a\/tiny from 127\.0\.0\.1:\d+, commit [0-9a-f]{12}: \d+ files, /,
    );
    expect(pulled.stderr).toContain("Licence: llama3.2, http");
    expect(pulled.stderr).toContain("domiciled in the European Union");
    expect(pulled.stderr).toMatch(/Downloaded .* in [\d.]+ s, all verified\.\n$/);

    const cached = await atalaya("cached");
    expect(cached.stdout).toMatch(
      /^a\/tiny +huggingface +[0-9a-f]{12} \(main\) +[\d.]+ MB +whole$/m,
    );

    // Nothing is asked of the hub from here on.
    hub.log.length = 0;
    const answer = await atalaya("run", "a/tiny", "hello", "--max-tokens", "2");
    expect(answer.exitCode).toBe(0);
    const raw = ["--raw", "--prompt", "ab", "--max-tokens", "1"];
    expect((await atalaya("run", "a/tiny", ...raw)).exitCode).toBe(0);
    expect(hub.log).toEqual([]);
  });

  test("what is removed is asked about, and gone", async () => {
    hub.addRepo("a/tiny", tinyRepo());
    await client.pull("a/tiny");
    hub.log.length = 0;
    expect(await atalaya("remove-cache", "a/tiny")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("Nobody can be asked here: say --yes"),
    });
    expect((await atalaya("remove-cache", "a/tiny", "--yes")).stderr).toMatch(/^Removed a\/tiny, /);
    expect((await atalaya("cached")).stderr).toMatch(/^No model is in the caches/);
    expect((await atalaya("remove-cache", "a/tiny", "--yes")).exitCode).toBe(66);
    expect(hub.log).toEqual([]);
  });

  test("a damaged file is found before it is loaded, and mended (DL-15)", async () => {
    hub.addRepo("a/tiny", await checkpointFiles());
    const directory = (await atalaya("pull", "a/tiny")).stdout.trim();
    expect((await atalaya("cached", "--verify")).stdout).toMatch(
      /^a\/tiny +huggingface +[0-9a-f]{12} +[\d.]+ MB +\d+ files sound$/m,
    );
    const weights = realpathSync(join(directory, "model.safetensors"));
    const bytes = await readFile(weights);
    bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 1;
    await writeFile(weights, bytes);

    const launched = await atalaya("run", "a/tiny", "hello", "--max-tokens", "1");
    expect(launched.stderr).toMatch(
      /^atalaya: model\.safetensors is damaged: it has the SHA-256 \w+…, and was stored as \w+…\. Fetch what is damaged anew: atalaya pull a\/tiny --verify$/m,
    );
    expect(launched.exitCode).toBe(65);
    const verified = await atalaya("cached", "--verify", "a/tiny");
    expect(verified.exitCode).toBe(65);
    expect(verified.stdout).toMatch(/ 1 file damaged, \d+ files sound$/m);
    expect(verified.stderr).toMatch(
      /^atalaya: One file is damaged\. Fetch .* anew: atalaya pull a\/tiny --verify$/m,
    );

    expect((await atalaya("pull", "a/tiny", "--verify")).exitCode).toBe(0);
    const [answer, none] = [
      await atalaya("run", "a/tiny", "hello", "--max-tokens", "1"),
      await atalaya("cached", "--verify", "a/other"),
    ];
    expect(answer.exitCode).toBe(0);
    expect(none).toMatchObject({
      exitCode: 66,
      stderr: "atalaya: Nothing of a/other is in the caches. See atalaya cached.\n",
    });
  });

  test("a server launches what was pulled, by its name on the hub", async () => {
    hub.addRepo("a/tiny", await checkpointFiles());
    await atalaya("pull", "a/tiny");
    const server = start(["serve", "--port", "0"]);
    await until(() => server.stderr.includes("Stop with Ctrl-C"));
    const endpoint = /Serving at (\S+)\/v1/.exec(server.stderr)?.[1] ?? "";
    const launched = await atalaya("launch", "a/tiny", "--endpoint", endpoint);
    expect(launched).toMatchObject({ exitCode: 0, stdout: "Model uid: tiny\n" });
    const nowhere = ["--endpoint", endpoint, "--no-download"];
    const absent = await atalaya("launch", "a/other", ...nowhere);
    // A launch that ends without a model ends with 1, as Xinference's does.
    expect(absent.exitCode).toBe(1);
    expect(absent.stderr).toContain("atalaya pull a/other");
  });

  test.each([
    { args: [], owner: "meta-llama" },
    { args: ["--hub", "modelscope"], owner: "LLM-Research" },
  ])("a name of the registry is pulled and run, with $args", async ({ args, owner }) => {
    const repo = `${owner}/Llama-3.2-11B-Vision-Instruct`;
    hub.addRepo(repo, await checkpointFiles());
    const named = "llama-3.2-vision-instruct:11b";
    const absent = await atalaya("run", named, "hello", "--no-download");
    expect(absent.exitCode).toBe(66);
    expect(absent.stderr).toMatch(
      /are not on this machine\. Accept the .*, then download them: atalaya pull meta-llama\/Llama-3\.2-11B-Vision-Instruct\n$/,
    );
    const pulled = await atalaya("pull", "llama-3.2-vision-instruct:11b", ...args);
    expect(pulled.stderr).toMatch(new RegExp(`^${repo} from `));
    expect(pulled.exitCode).toBe(0);
    hub.log.length = 0;
    for (const name of ["llama-3.2-vision-instruct", repo]) {
      expect((await atalaya("run", name, "hello", "--max-tokens", "2")).exitCode).toBe(0);
    }
    const removed = await atalaya("remove-cache", "llama-3.2-vision-instruct:11b", "--yes");
    expect(removed.stderr).toMatch(new RegExp(`^Removed ${repo}, `));
    expect((await atalaya("cached")).stderr).toMatch(/^No model is in the caches/);
    expect(hub.log).toEqual([]);
  });

  test("a snapshot that is only partly there is not loaded", async () => {
    hub.addRepo("a/tiny", await checkpointFiles());
    await atalaya("pull", "a/tiny", "--include", "*.json");
    const { exitCode, stderr } = await atalaya("serve", "a/tiny", "--port", "0", "--no-download");
    expect(exitCode).toBe(66);
    expect(stderr).toContain(
      "a/tiny is only partly on this machine: a file is missing, such as model.safetensors. Download the rest: atalaya pull a/tiny",
    );
    expect((await atalaya("cached")).stdout).toMatch(/ partial$/m);
  });

  test("one revision is removed, and what another one needs stays", async () => {
    const files = tinyRepo();
    const { commit } = hub.addRepo(tinyRepoId, files);
    const first = await client.pull(tinyRepoId);
    hub.moveBranch(tinyRepoId, [...files.slice(0, -4), ...files.slice(-3)]);
    const second = await client.pull(tinyRepoId);
    const { stderr } = await atalaya("remove-cache", tinyRepoId, "--revision", commit, "--yes");
    expect(stderr).toMatch(/^Removed .*, 30[01] kB\.$/m);
    expect(existsSync(first.directory)).toBe(false);
    hub.log.length = 0;
    expect((await client.pull(tinyRepoId, { options: { verify: true } })).receivedBytes).toBe(0);
    expect(existsSync(join(second.directory, "config.json"))).toBe(true);
  });

  test("what another program downloads is not removed under its hands", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    hub.fault({ at: "cdn", does: { type: "stall", afterBytes: 100_000 } });
    const pulling = start(["pull", tinyRepoId]);
    await until(() => hub.sentBytes() > 150_000);
    const { exitCode, stderr } = await atalaya("remove-cache", tinyRepoId, "--yes");
    expect(stderr).toMatch(/being downloaded by another program/);
    expect(exitCode).toBe(75);
    pulling.child.kill("SIGKILL");
    await pulling.ended;
    expect((await atalaya("remove-cache", tinyRepoId, "--yes")).exitCode).toBe(0);
    const places = await readdir(client.hubCache);
    expect(places.filter((name) => name.startsWith("models--"))).toEqual([]);
  });
});

describe("what goes wrong", () => {
  test.each([
    { args: ["pull", "lama-3.2-vision"], exitCode: 66, says: /Did you mean llama-3\.2-vision\?/ },
    { args: ["pull", "llama-3.2-vision:70b"], exitCode: 2, says: /its sizes are 11, 90\./ },
    { args: ["pull", "demo"], exitCode: 2, says: /demo comes with Atalaya/ },
    { args: ["pull", "../../etc/passwd"], exitCode: 2, says: /is no repository of a hub/ },
    { args: ["pull", "a/.."], exitCode: 2, says: /is no repository of a hub/ },
    { args: ["pull", "a/b", "--revision", "../x"], exitCode: 2, says: /is no revision/ },
    { args: ["pull", "a/b", "--hub", "github"], exitCode: 2, says: /Allowed choices are auto/ },
    { args: ["pull", "a/none"], exitCode: 66, says: /has no model a\/none, or it is private/ },
    { args: ["remove-cache", "a/none", "--yes"], exitCode: 66, says: /Nothing of a\/none/ },
    {
      args: ["run", "a/../b", "x"],
      exitCode: 66,
      says: /There is no model "a\/\.\.\/b"; there are demo, /,
    },
  ])("$args ends with $exitCode and one sentence", async ({ args, exitCode, says }) => {
    const ended = await atalaya(...args);
    expect(ended.stderr).toMatch(says);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
    expect(ended).toMatchObject({ exitCode, stdout: "" });
  });

  test("a token never shows, not even when everything does (LG-01, G-20)", async () => {
    hub.addRepo("a/b", tinyRepo(), { access: "private" });
    for (const token of ["hf_unknown", "hf_canary"]) {
      const env = { HF_TOKEN: token, ATALAYA_LOG_LEVEL: "debug" };
      const ended = await start(["pull", "a/b"], env).ended;
      expect(ended.exitCode).toBeGreaterThan(0);
      expect(ended.stdout + ended.stderr).not.toContain(token);
    }
  });

  test("a variable that cannot be used is named", async () => {
    const ended = await start(["pull", "a/b"], { HF_ENDPOINT: "huggingface.co" }).ended;
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toContain("HF_ENDPOINT is huggingface.co; a hub's address looks like");
  });
});

describe("a download that is stopped", () => {
  test("by Ctrl-C ends at once, says how to go on, and does (DL-11)", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    hub.fault({ at: "cdn", does: { type: "slow", chunkBytes: 10_000, everyMs: 50 } });
    const pulling = start(["pull", tinyRepoId]);
    await until(() => hub.sentBytes() > 100_000);
    pulling.child.kill("SIGINT");
    const stoppedAt = performance.now();
    const { exitCode, stdout, stderr } = await pulling.ended;
    expect(performance.now() - stoppedAt).toBeLessThan(1_000);
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: "" });
    expect(stderr).toMatch(
      /^Stopped with \d+ kB of 600 kB here\. Run the same command again to go on from there\.$/m,
    );
    hub.faults.clear();
    hub.log.length = 0;
    const again = await atalaya("pull", tinyRepoId);
    expect(again.stderr).toMatch(/are here already, \d+ kB to come\./);
    expect(hub.requests("cdn").every(({ range }) => range !== undefined)).toBe(true);
    await expectWhole(again.stdout.trim());
  });

  test("by kill -9 at half goes on from there", async () => {
    const shardBytes = 12_000_000;
    hub.addRepo(tinyRepoId, tinyRepo({ shardBytes }));
    hub.fault({ at: "cdn", does: { type: "slow", chunkBytes: 200_000, everyMs: 20 } });
    const pulling = start(["pull", tinyRepoId]);
    await until(() => hub.sentBytes() > shardBytes);
    pulling.child.kill("SIGKILL");
    await pulling.ended;
    hub.faults.clear();
    const firstBytes = hub.sentBytes();
    hub.log.length = 0;
    const again = await atalaya("pull", tinyRepoId);
    const starts = hub.requests("cdn").map(({ range }) => Number(/=(\d+)-/.exec(range ?? "")?.[1]));
    expect(starts).toHaveLength(2);
    for (const start of starts) expect(start).toBeGreaterThan(shardBytes / 4);
    // Of each file a megabyte may not have been synced, and a chunk was on its way.
    expect(firstBytes + hub.sentBytes()).toBeLessThan(2 * (shardBytes + 1.5 * 2 ** 20) + 5_000);
    await expectWhole(again.stdout.trim(), shardBytes);
  });

  test("two programs at once fetch every file once (DL-10)", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    hub.fault({ at: "cdn", does: { type: "hold", until: held } });
    const programs = [start(["pull", tinyRepoId]), start(["pull", tinyRepoId])];
    await until(() =>
      programs.some(({ stderr }) => stderr.includes("is being downloaded by another program")),
    );
    release();
    const ended = await Promise.all(programs.map((started) => started.ended));
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(ended[0]?.stdout).toBe(ended[1]?.stdout);
    expect(hub.requests("cdn")).toHaveLength(2);
  });
});

async function expectWhole(directory: string, shardBytes?: number): Promise<void> {
  for (const { path, bytes, isLfs } of tinyRepo(shardBytes === undefined ? {} : { shardBytes })) {
    if (!isLfs || path.endsWith(".pth")) continue;
    expect(sha256Of(await readFile(join(directory, path)))).toBe(sha256Of(bytes));
  }
}
