/**
 * The real `huggingface_hub` and ours on one cache: it reads what we wrote, offline, and we take what it
 * wrote. It also asks the test hub itself, so that the hub is one that the real client accepts.
 *
 * It needs Python with what `test/requirements.txt` names.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { TestClient } from "../support/hub/pull-from.ts";
import { sha256Of } from "../support/hub/repo-content.ts";
import { TestHub } from "../support/hub/test-hub.ts";
import { tinyRepo, tinyRepoId } from "../support/hub/tiny-repo.ts";
import { lackOfPython, testPython } from "../support/python.ts";

const run = promisify(execFile);
const lacks = await lackOfPython(["huggingface_hub"]);
const title = lacks === undefined ? "" : ` (skipped: there is no ${lacks})`;

// Importing the library takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

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

/** What a Python program prints as JSON. */
async function ask(program: string, env: Record<string, string> = {}): Promise<unknown> {
  const { stdout } = await run(testPython, ["-c", `import json, sys\n${program}`], {
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: client.home,
      ...client.env,
      HF_HUB_DISABLE_XET: "1",
      HF_HUB_DISABLE_TELEMETRY: "1",
      HF_HUB_DISABLE_UPDATE_CHECK: "1",
      HF_HUB_DISABLE_PROGRESS_BARS: "1",
      ...env,
    },
  });
  return JSON.parse(stdout);
}

const offline = { HF_HUB_OFFLINE: "1" };
const patterns = `ignore_patterns=["*.pth", ".gitattributes"]`;

describe.skipIf(lacks !== undefined)(`Python's library${title}`, () => {
  test("reads what we wrote without asking anybody, and finds nothing wrong with it", async () => {
    const { commit } = hub.addRepo(tinyRepoId, tinyRepo());
    const { directory } = await client.pull(tinyRepoId);
    hub.log.length = 0;
    const read = await ask(
      `
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
repo = "${tinyRepoId}"
cache = scan_cache_dir()
[found] = cache.repos
[revision] = found.revisions
print(json.dumps({
  "snapshot": snapshot_download(repo, ${patterns}),
  "file": hf_hub_download(repo, "original/params.json"),
  "shard": try_to_load_from_cache(repo, "model-00001-of-00002.safetensors"),
  "warnings": [str(warning) for warning in cache.warnings],
  "repo": found.repo_id, "commit": revision.commit_hash, "refs": sorted(revision.refs),
  "size": found.size_on_disk,
  "incomplete": len(getattr(cache, "incomplete_files", [])),
}))`,
      offline,
    );
    const sizes = await Promise.all(
      (await readdir(join(directory, "../../blobs"))).map(
        async (name) => (await lstat(join(directory, "../../blobs", name))).size,
      ),
    );
    expect(read).toEqual({
      snapshot: directory,
      file: join(directory, "original/params.json"),
      shard: join(directory, "model-00001-of-00002.safetensors"),
      warnings: [],
      repo: tinyRepoId,
      commit,
      refs: ["main"],
      size: sizes.reduce((sum, size) => sum + size, 0),
      incomplete: 0,
    });
    expect(hub.log).toEqual([]);
  });

  test("is not told that a part is the whole", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    await client.pull(tinyRepoId, { options: { include: ["*.json"] } });
    const said = await ask(
      `
from huggingface_hub import snapshot_download
try:
  print(json.dumps(snapshot_download("${tinyRepoId}", ${patterns})))
except Exception as error:
  print(json.dumps(type(error).__name__))`,
      offline,
    );
    expect(said).toBe("IncompleteSnapshotError");
  });

  test("fetches the rest after us, and only that", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    await client.pull(tinyRepoId, { options: { exclude: ["model-00002*"] } });
    hub.log.length = 0;
    await ask(`
from huggingface_hub import snapshot_download
print(json.dumps(snapshot_download("${tinyRepoId}", ${patterns})))`);
    expect(new Set(hub.requests("cdn").map(({ file }) => file))).toEqual(
      new Set(["model-00002-of-00002.safetensors"]),
    );
  });

  test("writes what we take as it is, and what we would have written", async () => {
    const { commit } = hub.addRepo(tinyRepoId, tinyRepo());
    const snapshot = String(
      await ask(`
from huggingface_hub import snapshot_download
print(json.dumps(snapshot_download("${tinyRepoId}", ${patterns})))`),
    );
    const treePath = join(snapshot, "../../trees", `${commit}.json`);
    const tree = JSON.parse(await readFile(treePath, "utf8"));
    const theirs = await describeCache(client.hubCache);
    hub.log.length = 0;
    const found = await (await client.open()).find(tinyRepoId);
    expect(found).toEqual({ directory: snapshot, revision: commit, missing: [] });
    expect(hub.log).toEqual([]);
    const pulled = await client.pull(tinyRepoId, { options: { verify: true } });
    expect(pulled).toMatchObject({ directory: snapshot, receivedBytes: 0 });
    expect(JSON.parse(await readFile(treePath, "utf8"))).toEqual(tree);

    await using other = await TestClient.for(hub);
    await other.pull(tinyRepoId);
    expect(await describeCache(other.hubCache)).toEqual(theirs);
  });

  test("of whose interrupted download we say what is missing", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    const path = "model-00002-of-00002.safetensors";
    hub.fault({ at: "resolve", path, does: { type: "answer", status: 500 } });
    const failed = await ask(`
from huggingface_hub import snapshot_download
try:
  snapshot_download("${tinyRepoId}", ${patterns}, max_workers=1)
except Exception as error:
  print(json.dumps(type(error).__name__))`);
    expect(failed).not.toBe("");
    const found = await (await client.open()).find(tinyRepoId);
    expect(found?.missing.map((file) => file.path)).toContain(path);
    hub.faults.clear();
    const pulled = await client.pull(tinyRepoId);
    expect(sha256Of(await readFile(join(pulled.directory, path)))).toBe(
      sha256Of(tinyRepo().find((file) => file.path === path)?.bytes ?? Buffer.alloc(0)),
    );
  });

  test("holds the lock that we wait for, and waits for ours", async () => {
    hub.addRepo(tinyRepoId, tinyRepo());
    hub.fault({ at: "cdn", times: 2, does: { type: "slow", chunkBytes: 20_000, everyMs: 150 } });
    const ours = client.pull(tinyRepoId);
    const theirs = ask(`
from huggingface_hub import snapshot_download
print(json.dumps(snapshot_download("${tinyRepoId}", ${patterns})))`);
    expect(await theirs).toBe((await ours).directory);
    expect(hub.requests("cdn")).toHaveLength(2);
  });

  test("is renamed, paged and redirected by the test hub as by the real one", async () => {
    hub.addRepo("new/name", tinyRepo(), { access: "gated" });
    hub.renames.set("old/name", "new/name");
    const program = (repo: string): string => `
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError
try:
  print(json.dumps(sorted(f.path for f in HfApi().list_repo_tree("${repo}", recursive=True) if hasattr(f, "blob_id"))))
  snapshot_download("${repo}", allow_patterns=["*.json"])
except GatedRepoError as error:
  pass`;
    const granted = { HF_TOKEN: "hf_granted" };
    const paths = tinyRepo().map((file) => file.path);
    expect(await ask(program("old/name"), granted)).toEqual(paths.toSorted());
    hub.gatesEverything = true;
    const gated = `
from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError
try:
  snapshot_download("new/name")
except GatedRepoError as error:
  print(json.dumps("gated"))`;
    expect(await ask(gated)).toBe("gated");
  });

  test("takes a file over Xet from the same hub, and we read what it wrote", async () => {
    hub.usesXet = true;
    const { commit } = hub.addRepo(tinyRepoId, tinyRepo());
    await ask(
      `
from huggingface_hub import snapshot_download
print(json.dumps(snapshot_download("${tinyRepoId}", ${patterns})))`,
      { HF_HUB_DISABLE_XET: "0" },
    );
    expect(hub.log.some(({ at }) => at === "cas")).toBe(true);
    hub.log.length = 0;
    const { directory } = await client.pull(tinyRepoId);
    expect(directory).toContain(commit);
    expect(hub.log.filter(({ at }) => at === "cdn")).toEqual([]);
  });
});

/** Every file and link of a cache, but for locks, with what it holds. */
async function describeCache(root: string): Promise<Record<string, string>> {
  if (!existsSync(root)) return {};
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const described = await Promise.all(
    entries
      .filter((entry) => !entry.isDirectory() && !entry.parentPath.includes(".locks"))
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        const name = path.slice(root.length);
        return [
          name,
          entry.isSymbolicLink() ? `→ ${await readlink(path)}` : sha256Of(await readFile(path)),
        ] as const;
      }),
  );
  return Object.fromEntries(described.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
