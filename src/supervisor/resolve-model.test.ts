import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtinRegistry, noGguf } from "../../test/support/serve.ts";
import type { LocalCopy, LocateFiles } from "./locate-files.ts";
import {
  filesMissing,
  type ModelResources,
  type ModelWish,
  resolveModel,
} from "./resolve-model.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "models-"));
  await writeFile(join(directory, "config.json"), "{}");
});
afterAll(async () => await rm(directory, { recursive: true }));

const missing = [{ path: "model.safetensors", sizeBytes: undefined }];
const nothingHere: ModelResources = {
  demoDirectory: "/none",
  gguf: noGguf,
  registry: builtinRegistry(),
  locateFiles: async () => undefined,
};

describe("what is launched", () => {
  test("is the bundled checkpoint, or a directory", async () => {
    expect(
      await resolveModel({ model: "demo" }, { ...nothingHere, demoDirectory: directory }),
    ).toMatchObject({ modelName: "demo", directory });
    expect(await resolveModel({ model: directory }, nothingHere)).toMatchObject({
      modelName: basename(directory),
      directory,
      size: undefined,
    });
    expect(
      await resolveModel({ model: directory, familyName: "llama-3.2-vision" }, nothingHere),
    ).toMatchObject({ modelName: "llama-3.2-vision", directory });
  });

  test("is a repository that the registry does not know, by its own name", async () => {
    const copy: LocalCopy = { repo: "a/b", directory, missing: [] };
    const asked: unknown[] = [];
    const locateFiles: LocateFiles = async ([source]) => {
      asked.push(source);
      return source?.modelId === "a/b" ? copy : undefined;
    };
    expect(await resolveModel({ model: "a/b" }, { ...nothingHere, locateFiles })).toMatchObject({
      modelName: "b",
      directory,
      size: undefined,
    });
    expect(asked).toMatchObject([{ hub: "huggingface", modelId: "a/b", revision: undefined }]);
  });

  test("is a repository of which nothing, or a part, is there: that has no directory yet", async () => {
    const locateFiles = async () => ({ repo: "a/b", directory, missing });
    const partial = await resolveModel({ model: "a/b" }, { ...nothingHere, locateFiles });
    expect(partial).toMatchObject({ modelName: "b", directory: undefined });
    expect(filesMissing(partial, undefined).message).toBe(
      "a/b is only partly on this machine: a file is missing, such as model.safetensors. Download the rest: atalaya pull a/b",
    );
    const wish = { model: "a/b", hub: "modelscope", revision: "v2" } as const;
    const absent = await resolveModel(wish, nothingHere);
    expect(absent.sources).toEqual([
      { hub: "modelscope", modelId: "a/b", aliases: [], revision: "v2" },
    ]);
    expect(filesMissing(absent, undefined).message).toBe(
      "a/b is not on this machine. Download it first: atalaya pull a/b --hub modelscope",
    );
  });

  test("may be chosen from one hub, at another revision", async () => {
    const wish = { model: "llama-3.2-vision", hub: "modelscope", revision: "v2" } as const;
    expect((await resolveModel(wish, nothingHere)).sources).toMatchObject([
      { hub: "modelscope", modelId: "LLM-Research/Llama-3.2-11B-Vision", revision: "v2" },
    ]);
  });

  test.each([
    { repo: "meta-llama/Meta-Llama-3.2-11B-Vision", hub: "" },
    { repo: "LLM-Research/Llama-3.2-11B-Vision", hub: " --hub modelscope" },
  ])("that is partly there as $repo has no directory yet", async ({ repo, hub }) => {
    const locateFiles = async () => ({ repo, directory, missing });
    const resolved = await resolveModel(
      { model: "llama-3.2-vision" },
      { ...nothingHere, locateFiles },
    );
    expect(resolved).toMatchObject({ directory: undefined, size: 11 });
    expect(filesMissing(resolved, undefined).message).toBe(
      `${repo} is only partly on this machine: a file is missing, such as model.safetensors. Download the rest: atalaya pull ${repo}${hub}`,
    );
  });

  test.each<{ wish: ModelWish; size: number }>([
    { wish: { model: "llama-3.2-vision" }, size: 11 },
    { wish: { model: "Llama-3.2-Vision", size: 90 }, size: 90 },
    { wish: { model: "llama-3.2-vision", size: "90" }, size: 90 },
    { wish: { model: "llama-3.2-vision:90b" }, size: 90 },
    { wish: { model: "llama-3.2-vision:11", format: "PyTorch" }, size: 11 },
    { wish: { model: "meta-llama/Meta-Llama-3.2-90B-Vision" }, size: 90 },
    { wish: { model: "LLM-Research/Llama-3.2-11B-Vision" }, size: 11 },
  ])("is a size of a family: $wish", async ({ wish, size }) => {
    const asked: string[] = [];
    const resolved = await resolveModel(wish, {
      ...nothingHere,
      locateFiles: async (sources) => {
        asked.push(...sources.map(({ modelId }) => modelId));
        return { repo: "a/b", directory: "/somewhere", missing: [] };
      },
    });
    expect(resolved).toMatchObject({
      modelName: "llama-3.2-vision",
      size,
      directory: "/somewhere",
    });
    expect(asked).toEqual([
      `meta-llama/Llama-3.2-${size}B-Vision`,
      `LLM-Research/Llama-3.2-${size}B-Vision`,
    ]);
  });

  test.each<{ wish: ModelWish; code?: string; says: RegExp }>([
    {
      wish: { model: "qwen" },
      says: /There is no model "qwen"; there are demo, llama-3\.2-vision,/,
    },
    {
      wish: { model: "lama-3.2-vision-instruct" },
      says: /Did you mean llama-3\.2-vision-instruct\?/,
    },
    { wish: { model: "a/../b" }, says: /There is no model "a\/\.\.\/b"; there are demo,/ },
    {
      wish: { model: "llama-3.2-vision", size: 13 },
      code: "invalid_request",
      says: /no size of "13" billion parameters; its sizes are 11, 90\. The nearest is 11\./,
    },
    {
      wish: { model: "llama-3.2-vision:70b" },
      code: "invalid_request",
      says: /no size of "70".* The nearest is 90\./,
    },
    {
      wish: { model: "llama-3.2-vision", format: "ggufv2" },
      code: "invalid_request",
      says: /not there as "ggufv2"; its formats are pytorch\./,
    },
    {
      wish: { model: "llama-3.2-vision", format: "pytorhc" },
      code: "invalid_request",
      says: /Did you mean pytorch\?/,
    },
    {
      wish: { model: "/no/such/place" },
      says: /There is no directory \/no\/such\/place\. Pass the directory/,
    },
    { wish: { model: "./here" }, says: /There is no directory \.\/here/ },
    { wish: { model: tmpdir() }, says: /holds no model: there is no config.json in it/ },
    { wish: { model: import.meta.filename }, says: /is a file, and no GGUF\. Pass that/ },
  ])("cannot be $wish", async ({ wish, code = "model_not_found", says }) => {
    await expect(resolveModel(wish, nothingHere)).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(says) }),
    );
  });
});
