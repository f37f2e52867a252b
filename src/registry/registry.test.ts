import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/checkpoint-files.ts";
import { builtinModels } from "../config/package.ts";
import type { ModelFamily } from "./model-family.ts";
import { Registry } from "./registry.ts";

let folder = temporaryFolder();
let root = "";
let kept = "";
let registry: Registry;
beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, "models");
  kept = join(folder.path, "home", "models");
  mkdirSync(join(root, "receipts"), { recursive: true });
  registry = newRegistry();
});
afterEach(() => folder[Symbol.dispose]());

const newRegistry = (): Registry =>
  new Registry({
    builtinDirectory: builtinModels(),
    registrationsDirectory: kept,
    modelRoots: [root],
  });

function family(modelName: string, directory = join(root, "receipts")): ModelFamily {
  return {
    modelName,
    isBuiltin: false,
    description: "",
    contextLength: 4_096,
    languages: ["en"],
    abilities: ["chat", "vision"],
    basedOn: undefined,
    licence: undefined,
    specs: [
      {
        format: "pytorch",
        size: 11,
        quantizations: ["none"],
        sources: [],
        directory,
        config: undefined,
      },
    ],
  };
}

describe("registering", () => {
  test("keeps a model for the next process, and unregistering forgets it", async () => {
    await registry.register(family("receipts"));
    const other = newRegistry();
    expect((await other.list()).map(({ modelName }) => modelName)).toEqual([
      "llama-3.2-vision",
      "llama-3.2-vision-instruct",
      "llama-guard-3-11b-vision",
      "receipts",
    ]);
    expect((await other.find("Receipts")).family).toEqual(family("receipts"));
    await registry.unregister("RECEIPTS");
    await expect(other.find("receipts")).rejects.toMatchObject({ code: "model_not_found" });
    expect(readdirSync(kept)).toEqual([]);
  });

  test("writes files that only their owner reads, whole, whatever the umask (LG-03)", async () => {
    const umask = process.umask(0);
    try {
      await registry.register(family("receipts"));
    } finally {
      process.umask(umask);
    }
    expect(readdirSync(kept)).toEqual(["receipts.json"]);
    expect(statSync(join(kept, "receipts.json")).mode & 0o777).toBe(0o600);
    expect(statSync(kept).mode & 0o777).toBe(0o700);
    expect(JSON.parse(readFileSync(join(kept, "receipts.json"), "utf8"))).toMatchObject({
      version: 2,
      model_name: "receipts",
    });
  });

  test.each(["llama-3.2-vision", "Llama-Guard-3-11B-Vision"])(
    "over the shipped %s is refused (MF-16)",
    async (name) => {
      await expect(registry.register(family(name))).rejects.toMatchObject({
        code: "model_already_registered",
      });
      await expect(registry.unregister(name)).rejects.toMatchObject({ code: "forbidden" });
    },
  );

  test("ten times at once gives the name to one (MF-16)", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => newRegistry().register(family("receipts"))),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        expect(outcome.reason).toMatchObject({ code: "model_already_registered" });
      }
    }
    expect(readdirSync(kept)).toEqual(["receipts.json"]);
  });
});

describe("a model's directory", () => {
  test.each([
    { why: "relative", path: "models/x", code: "invalid_request", says: /is not absolute/ },
    { why: "in a home that a shell would know", path: "~/x", code: "invalid_request", says: /~/ },
    { why: "missing", path: "ROOT/none", code: "model_not_found", says: /There is no directory/ },
    { why: "elsewhere", path: tmpdir(), code: "forbidden", says: /ATALAYA_MODEL_ROOTS/ },
    { why: "above", path: "ROOT/../..", code: "forbidden", says: /lies outside of/ },
    { why: "above, by name", path: "ROOT/..", code: "forbidden", says: /lies outside of/ },
    { why: "a link that leaves", path: "ROOT/leaving", code: "forbidden", says: /\(really / },
    { why: "beside, with the same beginning", path: "ROOT2", code: "forbidden", says: /outside/ },
    { why: "writable by all", path: "ROOT/open", code: "forbidden", says: /chmod o-w/ },
    { why: "a file", path: "ROOT/file", code: "invalid_request", says: /is a file/ },
  ])("that is $why is refused (MF-15)", async ({ path, code, says }) => {
    symlinkSync(homedir(), join(root, "leaving"));
    mkdirSync(join(root, "open"));
    chmodSync(join(root, "open"), 0o777);
    writeFileSync(join(root, "file"), "");
    mkdirSync(`${root}2`);
    const real = path.replace("ROOT", root);
    await expect(registry.register(family("receipts", real))).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(says) }),
    );
    expect(await registry.names()).not.toContain("receipts");
  });

  test("may be a link that stays, and is kept as what it leads to", async () => {
    symlinkSync(join(root, "receipts"), join(root, "latest"));
    const registered = await registry.register(family("receipts", join(root, "latest")));
    expect(registered.specs[0]?.directory).toBe(join(root, "receipts"));
  });

  test("that was exchanged for a link since is refused (MF-17)", async () => {
    await registry.register(family("receipts"));
    mkdirSync(join(root, "other"));
    renameSync(join(root, "receipts"), join(root, "gone"));
    symlinkSync(join(root, "other"), join(root, "receipts"));
    await expect(registry.openDirectory(join(root, "receipts"))).rejects.toThrow(/become a link/);
  });
});

describe("a name that is not there", () => {
  test.each([
    { name: "llama-3.2-vison", says: /Did you mean llama-3\.2-vision\?/ },
    { name: "recipts", says: /Did you mean receipts\?/ },
    { name: "../../etc/passwd", says: /there are demo, llama-3\.2-vision/ },
    { name: "\u001b[31mred", says: /There is no model of that name;/ },
    { name: "x".repeat(5_000), says: /There is no model of that name;/ },
  ])("is answered with those that are: $name", async ({ name, says }) => {
    await registry.register(family("receipts"));
    await expect(registry.find(name)).rejects.toThrow(says);
  });

  test("is not unregistered, and the nearest is named", async () => {
    await expect(registry.unregister("x")).rejects.toThrow(/none is registered at all/);
    await registry.register(family("receipts"));
    await expect(registry.unregister("recepts")).rejects.toThrow(/Did you mean receipts\?/);
  });
});

test("a damaged registration names its file, and leaves the others alone", async () => {
  await registry.register(family("receipts"));
  writeFileSync(join(kept, "broken.json"), "{");
  await expect(registry.list()).rejects.toThrow(/broken\.json cannot be read\. Remove the file/);
  expect((await registry.find("receipts")).family.modelName).toBe("receipts");
  await registry.unregister("broken");
  expect(await registry.list()).toHaveLength(4);
});
