import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/checkpoint-files.ts";
import { findLocalCopy, type WantedFiles } from "./find-local-copy.ts";

let folder = temporaryFolder();
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const commit = "0123456789abcdef0123456789abcdef01234567";
const wanted: WantedFiles = {
  hub: "huggingface",
  ids: ["meta-llama/Llama-3.2-11B-Vision", "meta-llama/Meta-Llama-3.2-11B-Vision"],
  revision: "main",
};

/** As `huggingface_hub` writes it. */
function snapshot(cache: string, id: string, names: readonly string[]): string {
  const repository = join(cache, `models--${id.replace("/", "--")}`);
  const directory = join(repository, "snapshots", commit);
  mkdirSync(directory, { recursive: true });
  mkdirSync(join(repository, "refs"));
  mkdirSync(join(repository, "blobs"));
  writeFileSync(join(repository, "refs", "main"), commit);
  for (const name of names) {
    writeFileSync(join(repository, "blobs", name), "{}");
    symlinkSync(join("..", "..", "blobs", name), join(directory, name));
  }
  return directory;
}

test.each([
  { variable: "HF_HUB_CACHE", below: "" },
  { variable: "HUGGINGFACE_HUB_CACHE", below: "" },
  { variable: "HF_HOME", below: "hub" },
  { variable: "XDG_CACHE_HOME", below: "huggingface/hub" },
])("a snapshot is found under $variable", async ({ variable, below }) => {
  const directory = snapshot(join(folder.path, below), wanted.ids[0] ?? "", ["config.json"]);
  expect(await findLocalCopy(wanted, { [variable]: folder.path })).toBe(directory);
});

test("a snapshot under an alias is as good", async () => {
  const directory = snapshot(folder.path, wanted.ids[1] ?? "", ["config.json"]);
  expect(await findLocalCopy(wanted, { HF_HUB_CACHE: folder.path })).toBe(directory);
  const byCommit = { ...wanted, revision: commit };
  expect(await findLocalCopy(byCommit, { HF_HUB_CACHE: folder.path })).toBe(directory);
});

test("a snapshot without a config.json, another revision or an empty cache is nothing", async () => {
  const env = { HF_HUB_CACHE: folder.path };
  expect(await findLocalCopy(wanted, env)).toBeUndefined();
  snapshot(folder.path, wanted.ids[0] ?? "", ["README.md"]);
  expect(await findLocalCopy(wanted, env)).toBeUndefined();
  expect(await findLocalCopy({ ...wanted, revision: "v2" }, env)).toBeUndefined();
});

test.each([
  { sdk: 1, path: "models/LLM-Research/Llama-3___2-11B-Vision" },
  { sdk: 2, path: "models/LLM-Research--Llama-3.2-11B-Vision/snapshots/master" },
])("ModelScope's files are found as its SDK $sdk writes them", async ({ path }) => {
  const directory = join(folder.path, path);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "config.json"), "{}");
  const files: WantedFiles = {
    hub: "modelscope",
    ids: ["LLM-Research/Llama-3.2-11B-Vision"],
    revision: undefined,
  };
  expect(await findLocalCopy(files, { MODELSCOPE_CACHE: folder.path })).toBe(directory);
});
