import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/support/checkpoint-files.ts";
import { addToStore } from "../../../test/support/ollama-store.ts";
import { findOllamaModel, listOllamaModels, ollamaName } from "./ollama-store.ts";

let folder: ReturnType<typeof temporaryFolder>;
let store = "";
let env: NodeJS.ProcessEnv = {};
beforeEach(() => {
  folder = temporaryFolder();
  store = join(folder.path, "models");
  env = { OLLAMA_MODELS: store };
});
afterEach(() => folder[Symbol.dispose]());

const weights = { kind: "model", bytes: Buffer.from("GGUF and more") };
const params = { kind: "params", bytes: Buffer.from('{"temperature":0.6,"top_p":0.9}') };
const published = "registry.ollama.ai/library/llama3.2-vision:11b";

test("only names that say so are Ollama's", () => {
  expect(ollamaName("ollama:llama3.2-vision:11b")).toBe("llama3.2-vision:11b");
  expect(ollamaName("llama3.2-vision:11b")).toBeUndefined();
});

describe("a model is found", () => {
  test.each([
    ["llama3.2-vision:11b", published],
    ["library/llama3.2-vision:11b", published],
    ["registry.ollama.ai/library/llama3.2-vision:11b", published],
    ["llama3.2-vision", "registry.ollama.ai/library/llama3.2-vision:latest"],
    ["me/eyes:90b", "registry.ollama.ai/me/eyes:90b"],
    ["hub.example:5000/me/eyes", "hub.example:5000/me/eyes:latest"],
  ])("as %s", async (name, reference) => {
    const { blobs } = addToStore(store, reference, [weights, params]);
    expect(await findOllamaModel(name, env)).toMatchObject({
      reference,
      model: blobs[0],
      projector: undefined,
      parameters: { temperature: 0.6, top_p: 0.9 },
    });
  });

  test("with its projector, in the user's own store", async () => {
    const projector = { kind: "projector", bytes: Buffer.from("GGUF of the eyes") };
    const own = join(folder.path, ".ollama", "models");
    const { blobs } = addToStore(own, published, [weights, projector]);
    const found = await findOllamaModel("llama3.2-vision:11b", { HOME: folder.path });
    expect(found).toMatchObject({ model: blobs[0], projector: blobs[1], parameters: undefined });
  });
});

describe("what is missing is said", () => {
  test("no store", async () => {
    await expect(findOllamaModel("a", env)).rejects.toThrow(
      `There is no store of Ollama's at ${store}. Set OLLAMA_MODELS`,
    );
  });

  test("another name, with the nearest", async () => {
    addToStore(store, published, [weights]);
    addToStore(store, "registry.ollama.ai/me/other:latest", [weights]);
    expect(await listOllamaModels(env)).toEqual(["llama3.2-vision:11b", "me/other"]);
    await expect(findOllamaModel("llama3.2-vison:11b", env)).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringMatching(
        /has no llama3.2-vison:11b; it has llama3.2-vision:11b, me\/other. Did you mean llama3.2-vision:11b\?/,
      ),
    });
  });

  test("a layer, or a part of one", async () => {
    const { blobs } = addToStore(store, published, [weights]);
    const [blob = ""] = blobs;
    truncateSync(blob, 4);
    await expect(findOllamaModel("llama3.2-vision:11b", env)).rejects.toThrow(
      /has 4 bytes, and the manifest says 13. Download it again: ollama pull llama3.2-vision:11b/,
    );
    rmSync(blob);
    await expect(findOllamaModel("llama3.2-vision:11b", env)).rejects.toThrow(/is missing/);
  });

  test("weights", async () => {
    addToStore(store, published, [params]);
    await expect(findOllamaModel("llama3.2-vision:11b", env)).rejects.toThrow(/names no weights/);
  });
});

describe("nothing outside of the store is opened", () => {
  test.each([
    "..",
    "../..:x",
    "a/../../b",
    "../../../etc/passwd",
    "a:..",
    "a:b:c",
    "a/b/c/d",
    "",
    "a/",
    "/etc/passwd",
    "a\\b",
    "x\0y",
    "a".repeat(200),
  ])("by the name %j", async (name) => {
    addToStore(store, published, [weights]);
    await expect(findOllamaModel(name, env)).rejects.toMatchObject({ code: "invalid_request" });
  });

  test.each([
    "sha256:../../../../etc/passwd",
    `sha256:${"A".repeat(64)}`,
    `sha256-${"a".repeat(64)}`,
    `md5:${"a".repeat(64)}`,
    `sha256:${"a".repeat(63)}`,
  ])("by the digest %s", async (digest) => {
    const { manifest } = addToStore(store, published, [weights]);
    const layers = [{ mediaType: "application/vnd.ollama.image.model", digest, size: 13 }];
    writeFileSync(manifest, JSON.stringify({ layers }));
    await expect(findOllamaModel("llama3.2-vision:11b", env)).rejects.toThrow(
      /its manifest has no sound layers.0.digest/,
    );
  });

  test("by a link that leaves it", async () => {
    const { blobs } = addToStore(store, published, [weights]);
    const [blob = ""] = blobs;
    const outside = join(folder.path, "outside");
    renameSync(blob, outside);
    symlinkSync(outside, blob);
    await expect(findOllamaModel("llama3.2-vision:11b", env)).rejects.toThrow(/leads out of/);
  });

  test("a link inside of it is followed", async () => {
    const { blobs } = addToStore(store, published, [weights]);
    const [blob = ""] = blobs;
    const inside = join(dirname(blob), "elsewhere");
    mkdirSync(inside);
    renameSync(blob, join(inside, basename(blob)));
    symlinkSync(join(inside, basename(blob)), blob);
    expect((await findOllamaModel("llama3.2-vision:11b", env)).model).toBe(
      join(inside, basename(blob)),
    );
  });

  test("a manifest that is none", async () => {
    const { manifest } = addToStore(store, published, [weights]);
    writeFileSync(manifest, "{");
    await expect(findOllamaModel("llama3.2-vision:11b", env)).rejects.toThrow(/is not JSON/);
    writeFileSync(manifest, '{"layers": 3}');
    await expect(findOllamaModel("llama3.2-vision:11b", env)).rejects.toThrow(/no sound layers/);
  });
});
