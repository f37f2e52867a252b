/** Downloads from a hub that behaves. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { partedLimits } from "../support/hub/limits.ts";
import { TestClient } from "../support/hub/pull-from.ts";
import { etagOf, largeFile, sha256Of, smallFile } from "../support/hub/repo-content.ts";
import { TestHub } from "../support/hub/test-hub.ts";
import { tinyRepo, tinyRepoId } from "../support/hub/tiny-repo.ts";

let hub: TestHub;
let client: TestClient;
beforeEach(async () => {
  hub = await TestHub.start();
  client = await TestClient.for(hub);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

describe("Hugging Face", () => {
  test("a repository comes whole, in the layout of Python's cache", async () => {
    const files = tinyRepo();
    const { commit } = hub.addRepo(tinyRepoId, files);
    const pulled = await client.pull(tinyRepoId);

    const repo = join(client.hubCache, "models--meta-llama--Llama-3.2-11B-Vision-Instruct");
    expect(pulled).toMatchObject({ directory: join(repo, "snapshots", commit), commit });
    for (const file of files) {
      const { path, bytes } = file;
      if (path === ".gitattributes" || path.endsWith(".pth")) continue;
      expect(await readFile(join(pulled.directory, path))).toEqual(bytes);
      const up = "../".repeat(path.split("/").length + 1);
      expect(await readlink(join(pulled.directory, path))).toBe(`${up}blobs/${etagOf(file)}`);
    }
    expect(await readFile(join(repo, "refs", "main"), "utf8")).toBe(commit);
    const tree = JSON.parse(await readFile(join(repo, "trees", `${commit}.json`), "utf8"));
    expect(tree.format_version).toBe(1);
    expect(Object.keys(tree.files)).toEqual(files.map(({ path }) => path).toSorted());
    const blobs = await readdir(join(repo, "blobs"));
    expect(blobs.filter((name) => !/^[0-9a-f]{40,64}$/.test(name))).toEqual([]);
  });

  test("pickles and the repository's own code are never asked for (MF-22)", async () => {
    hub.addRepo(tinyRepoId, [...tinyRepo(), smallFile("modeling.py", "raise SystemExit\n")]);
    const { files } = await client.pull(tinyRepoId);
    const paths = files.map(({ path }) => path);
    expect(paths).toContain("model-00001-of-00002.safetensors");
    expect(paths).toContain("original/params.json");
    expect(hub.log.map(({ path }) => path).join("\n")).not.toMatch(/\.pth|\.py|gitattributes/);
    await expect(
      client.pull(tinyRepoId, { options: { include: ["*.pth"] } }),
    ).rejects.toMatchObject({ code: "unsafe_weights_format" });
  });

  test("a second pull fetches nothing, and a third compares the sums and mends what is broken", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    const first = await client.pull(tinyRepoId);
    expect(first.receivedBytes).toBeGreaterThan(600_000);
    hub.log.length = 0;
    expect((await client.pull(tinyRepoId)).receivedBytes).toBe(0);
    expect(hub.requests("resolve")).toEqual([]);

    const shard = join(first.directory, "model-00002-of-00002.safetensors");
    const bytes = await readFile(shard);
    const broken = Buffer.from(bytes);
    broken[17] = (broken[17] ?? 0) ^ 1;
    await writeFile(shard, broken);
    const third = await client.pull(tinyRepoId, { options: { verify: true } });
    expect(third.receivedBytes).toBe(bytes.length);
    expect(await readFile(shard)).toEqual(bytes);
  });

  test("a large file comes in ranges side by side", async () => {
    hub.addRepo("a/b", [largeFile("big.safetensors", 3_500_000)]);
    const { directory } = await client.pull("a/b", { limits: partedLimits });
    expect(sha256Of(await readFile(join(directory, "big.safetensors")))).toBe(
      sha256Of(largeFile("big.safetensors", 3_500_000).bytes),
    );
    const ranges = hub.requests("cdn").map(({ range }) => range ?? "");
    expect(new Set(ranges)).toEqual(
      new Set(["bytes=0-1166666", "bytes=1166667-2333333", "bytes=2333334-3499999"]),
    );
    expect(ranges).toHaveLength(3);
    expect(hub.sentBytes()).toBe(3_500_000);
  });

  test("names of every kind, empty files, and one content under two names", async () => {
    const files = [
      smallFile("config.json", "{}"),
      smallFile("a b#c%20+é/ü?.txt", "weird"),
      smallFile("twin-1.txt", "the same"),
      smallFile("twin-2.txt", "the same"),
      smallFile("empty.txt", ""),
      { path: "empty.safetensors", bytes: Buffer.alloc(0), isLfs: true },
      largeFile("deep/er/est.safetensors", 10_000),
    ];
    hub.addRepo("a/b", files);
    const { directory } = await client.pull("a/b");
    for (const { path, bytes } of files) {
      expect(await readFile(join(directory, path))).toEqual(bytes);
    }
    expect(hub.requests("resolve", "twin-2.txt")).toEqual([]);
  });

  test("the plan tells licence and sizes before the first byte of a file", async () => {
    hub.addRepo(tinyRepoId, tinyRepo(), { licence: "llama3.2" });
    let numRequests = -1;
    const { events } = await client.pull(tinyRepoId, {
      options: {
        onEvent: ({ type }) => {
          if (type === "plan") numRequests = hub.requests("resolve").length;
        },
      },
    });
    expect(numRequests).toBe(0);
    expect(events.find(({ type }) => type === "plan")).toMatchObject({
      host: new URL(hub.url).host,
      licence: { name: "llama3.2", link: `${hub.url}/${tinyRepoId}` },
    });
  });

  test("a commit can be named; a branch that moves brings a second snapshot, and shares what is the same", async () => {
    const before = tinyRepo();
    const { commit } = hub.addRepo("a/b", before);
    await client.pull("a/b", { options: { revision: commit } });
    const repo = join(client.hubCache, "models--a--b");
    expect(existsSync(join(repo, "refs", commit))).toBe(false);
    hub.moveBranch("a/b", [...before.slice(0, -2), smallFile("new.json", "{}")]);
    const second = await client.pull("a/b");
    expect(second.commit).not.toBe(commit);
    expect(second.receivedBytes).toBe(2);
    expect(await readdir(join(repo, "snapshots"))).toHaveLength(2);
  });

  test("only what is included, and not what is excluded", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    const { files } = await client.pull(tinyRepoId, {
      options: { include: ["*.json", "original/"], exclude: ["tokenizer*"] },
    });
    expect(files.map(({ path }) => path)).toEqual([
      "config.json",
      "model.safetensors.index.json",
      "original/params.json",
    ]);
  });

  test("a repository that was renamed is found under its new name, with its token", async () => {
    hub.addRepo("new/name", tinyRepo(), { access: "private" });
    hub.renames.set("old/name", "new/name");
    const { files } = await client.pull("old/name", { env: { HF_TOKEN: "hf_granted" } });
    expect(files.length).toBeGreaterThan(3);
  });

  test("no question names Xet, and none asks for compression", async () => {
    hub.usesXet = true;
    hub.addRepo(tinyRepoId, tinyRepo());
    await client.pull(tinyRepoId);
    expect(hub.log.map(({ accept }) => accept ?? "").join()).not.toContain("xet");
    expect(new Set(hub.log.map(({ acceptEncoding }) => acceptEncoding))).toEqual(
      new Set(["identity"]),
    );
    expect(hub.log[0]?.userAgent).toBe("atalaya/0.0.0");
  });

  test("two pulls of one repository at once fetch every file once (DL-10)", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    for (const path of ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]) {
      hub.fault({ at: "cdn", path, does: { type: "slow", chunkBytes: 30_000, everyMs: 20 } });
    }
    const [first, second] = await Promise.all([client.pull(tinyRepoId), client.pull(tinyRepoId)]);
    expect(second.directory).toBe(first.directory);
    for (const { path } of first.files) expect(hub.requests("resolve", path)).toHaveLength(1);
    const events = [...first.events, ...second.events];
    expect(events.some(({ type }) => type === "file-waiting")).toBe(true);
  });
});

describe("ModelScope", () => {
  const options = { hub: "modelscope" } as const;

  test("a repository comes whole, as real files in the layout of its library", async () => {
    const files = tinyRepo();
    hub.addRepo("LLM-Research/Llama-3.2-11B-Vision-Instruct", files, { licence: "llama3.2" });
    const pulled = await client.pull("LLM-Research/Llama-3.2-11B-Vision-Instruct", { options });
    expect(pulled.directory).toBe(
      join(
        client.modelScopeCache,
        "models/LLM-Research--Llama-3.2-11B-Vision-Instruct/snapshots/master",
      ),
    );
    for (const { path, bytes } of files) {
      if (path === ".gitattributes" || path.endsWith(".pth")) continue;
      expect((await stat(join(pulled.directory, path))).isFile()).toBe(true);
      expect(await readFile(join(pulled.directory, path))).toEqual(bytes);
    }
    expect(pulled.licence?.name).toBe("llama3.2");
    hub.log.length = 0;
    const again = await client.pull("LLM-Research/Llama-3.2-11B-Vision-Instruct", { options });
    expect(again.receivedBytes).toBe(0);
    expect(hub.requests("ms-file")).toEqual([]);
  });

  test("what its own library left is taken when the sums are right, and only then", async () => {
    hub.addRepo("a/b", tinyRepo());
    const directory = join(client.modelScopeCache, "models/a--b/snapshots/master");
    for (const { path, bytes } of tinyRepo()) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), bytes);
    }
    await writeFile(join(directory, "config.json"), '{"model_type": "other!"}\n');
    const { receivedBytes } = await client.pull("a/b", { options });
    expect(receivedBytes).toBe(tinyRepo().find(({ path }) => path === "config.json")?.bytes.length);
  });

  test("a branch that moves replaces what changed", async () => {
    hub.addRepo("a/b", [smallFile("config.json", "{}"), smallFile("x.json", "1")]);
    await client.pull("a/b", { options });
    hub.moveBranch("a/b", [smallFile("config.json", "{}"), smallFile("x.json", "2")]);
    const { directory, receivedBytes } = await client.pull("a/b", { options });
    expect(receivedBytes).toBe(1);
    expect(await readFile(join(directory, "x.json"), "utf8")).toBe("2");
  });

  test("a private repository needs the token, which stays with the hub", async () => {
    hub.addRepo("a/b", tinyRepo(), { access: "private" });
    await expect(client.pull("a/b", { options })).rejects.toMatchObject({
      code: "hub_unauthorized",
      message: expect.stringContaining("set MODELSCOPE_API_TOKEN"),
    });
    await client.pull("a/b", { options, env: { MODELSCOPE_API_TOKEN: "ms-granted" } });
    const atCdn = hub.log.filter(({ server }) => server === "cdn");
    expect(atCdn.length).toBeGreaterThan(0);
    expect(atCdn.every((entry) => entry.cookie === undefined)).toBe(true);
    expect(atCdn.every((entry) => entry.authorization === undefined)).toBe(true);
  });

  test("a failure in an answer with status 200 is one", async () => {
    const body = JSON.stringify({ Code: 404, Success: false, Message: "gone" });
    hub.addRepo("a/b", tinyRepo());
    hub.fault({ at: "ms-files", does: { type: "answer", status: 200, body } });
    await expect(client.pull("a/b", { options })).rejects.toMatchObject({
      code: "model_not_found",
    });
  });

  test.each([
    { why: "no sum", lie: { Sha256: "" } },
    { why: "a sum that is none", lie: { Sha256: "../../etc/passwd" } },
    { why: "a negative size", lie: { Size: -1 } },
  ])("a list with $why is refused", async ({ lie }) => {
    const file = { Path: "a.json", Type: "blob", Size: 2, Sha256: "0".repeat(64), ...lie };
    const body = JSON.stringify({ Code: 200, Data: { Files: [file] } });
    hub.addRepo("a/b", tinyRepo());
    hub.fault({ at: "ms-files", does: { type: "answer", status: 200, body } });
    await expect(client.pull("a/b", { options })).rejects.toMatchObject({
      code: "invalid_hub_answer",
    });
  });

  test("no list at all is said so", async () => {
    const body = JSON.stringify({ Code: 200, Data: { Files: null } });
    hub.addRepo("a/b", tinyRepo());
    hub.fault({ at: "ms-files", does: { type: "answer", status: 200, body } });
    await expect(client.pull("a/b", { options })).rejects.toMatchObject({
      code: "model_not_found",
    });
  });
});

describe("which hub", () => {
  test("one that cannot be reached is passed over, and that is told", async () => {
    hub.addRepo("a/b", tinyRepo());
    const { events, hub: used } = await client.pull("a/b", {
      env: { HF_ENDPOINT: "http://127.0.0.1:9" },
      options: { hub: undefined },
    });
    expect(used).toBe("modelscope");
    expect(events.find(({ type }) => type === "hub-skipped")).toMatchObject({
      reason: expect.stringContaining("127.0.0.1:9 refuses the connection"),
      next: hub.url,
    });
  });

  test("each is asked for a model by the name that it has there", async () => {
    const names = {
      huggingface: { repo: "a/b", revision: "main" },
      modelscope: { repo: "c/b", revision: "master" },
    };
    hub.addRepo("a/b", tinyRepo());
    hub.addRepo("c/b", tinyRepo());
    const plan = { type: "plan", repo: "a/b" };
    const first = await client.pull(names, { options: { hub: undefined } });
    expect(first.events).toContainEqual(expect.objectContaining(plan));
    const passed = await client.pull(names, {
      env: { HF_ENDPOINT: "http://127.0.0.1:9" },
      options: { hub: undefined },
    });
    expect(passed.events).toContainEqual(expect.objectContaining({ ...plan, repo: "c/b" }));
  });

  test("one that has no name for a model is not asked", async () => {
    const names = { huggingface: { repo: "a/b", revision: undefined } };
    await expect(client.pull(names, { options: { hub: "modelscope" } })).rejects.toThrow(
      "It is not known by which name modelscope has this model. Use --hub huggingface.",
    );
    expect(hub.log).toEqual([]);
  });

  test("one that was named is not passed over", async () => {
    hub.addRepo("a/b", tinyRepo());
    const env = { HF_ENDPOINT: "http://127.0.0.1:9" };
    await expect(client.pull("a/b", { env })).rejects.toMatchObject({ code: "hub_unavailable" });
    expect(hub.log).toEqual([]);
  });

  test("one that answers is believed, even when it has no such model", async () => {
    await expect(client.pull("a/b", { options: { hub: undefined } })).rejects.toMatchObject({
      code: "model_not_found",
    });
    expect(hub.requests("ms-model")).toEqual([]);
  });

  test("the environment may choose", async () => {
    hub.addRepo("a/b", tinyRepo());
    const env = { XINFERENCE_MODEL_SRC: "modelscope" };
    const pulled = await client.pull("a/b", { env, options: { hub: undefined } });
    expect(pulled.hub).toBe("modelscope");
  });

  test("none is asked anything when that is forbidden", async () => {
    hub.addRepo("a/b", tinyRepo());
    for (const env of [{ HF_HUB_OFFLINE: "1" }, { TRANSFORMERS_OFFLINE: "yes" }]) {
      await expect(client.pull("a/b", { env })).rejects.toMatchObject({ code: "hub_unavailable" });
    }
    expect(hub.log).toEqual([]);
  });
});

describe("who may have it", () => {
  test.each([
    {
      who: "nobody known",
      env: {},
      says: "is given out only to those who accept its licence: do so at",
    },
    {
      who: "somebody who has not accepted",
      env: { HF_TOKEN: "hf_other" },
      says: "with the account of the token from HF_TOKEN, and wait until it is granted",
    },
  ])("a gated repository tells $who where its licence is accepted", async ({ env, says }) => {
    hub.addRepo(tinyRepoId, tinyRepo(), { access: "gated" });
    const failed = await client.pull(tinyRepoId, { env }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "gated_repository" });
    expect(String(failed)).toContain(says);
    expect(String(failed)).toContain(`${hub.url}/${tinyRepoId}`);
  });

  test("a gated repository that hides its list too is explained the same", async () => {
    hub.gatesEverything = true;
    hub.addRepo(tinyRepoId, tinyRepo(), { access: "gated" });
    await expect(client.pull(tinyRepoId)).rejects.toMatchObject({ code: "gated_repository" });
  });

  test("the token of who has accepted opens it, and goes to the hub only (DL-06)", async () => {
    hub.addRepo(tinyRepoId, tinyRepo(), { access: "gated" });
    await client.pull(tinyRepoId, { env: { HF_TOKEN: "hf_granted" } });
    const tokens = (server: string): Set<string | undefined> =>
      new Set(
        hub.log.filter((entry) => entry.server === server).map((entry) => entry.authorization),
      );
    expect(tokens("hub")).toEqual(new Set(["Bearer hf_granted"]));
    expect(tokens("cdn")).toEqual(new Set([undefined]));
  });

  test("a token in Python's file works as well", async () => {
    hub.addRepo(tinyRepoId, tinyRepo(), { access: "gated" });
    await mkdir(join(client.home, "huggingface"), { recursive: true });
    await writeFile(join(client.home, "huggingface", "token"), "hf_granted\n");
    await client.pull(tinyRepoId);
  });

  test.each([
    { env: { HF_TOKEN: "hf_unknown" }, code: "hub_unauthorized", says: "token from HF_TOKEN" },
    { env: {}, code: "model_not_found", says: "or it is private: then set HF_TOKEN" },
    { env: { HF_TOKEN: "hf_other" }, code: "model_not_found", says: "token from HF_TOKEN may not" },
  ])("$env is told what to do: $says", async ({ env, code, says }) => {
    hub.addRepo("a/b", tinyRepo(), { access: "private" });
    const failed = await client.pull("a/b", { env }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code, message: expect.stringContaining(says) });
    expect(String(failed)).not.toContain("hf_unknown");
  });

  test("a revision that is not there is named", async () => {
    hub.addRepo("a/b", tinyRepo());
    await expect(client.pull("a/b", { options: { revision: "v9" } })).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringContaining("has no revision v9"),
    });
  });
});
