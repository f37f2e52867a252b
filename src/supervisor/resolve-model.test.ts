import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveModel } from "./resolve-model.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "models-"));
  await writeFile(join(directory, "config.json"), "{}");
});
afterAll(async () => await rm(directory, { recursive: true }));

const places = { demoDirectory: "/none", findCached: async () => undefined };

describe("what is launched", () => {
  test("is the bundled checkpoint, or a directory", async () => {
    expect(await resolveModel("demo", { ...places, demoDirectory: directory })).toEqual({
      modelName: "demo",
      directory,
    });
    expect(await resolveModel(directory, places)).toEqual({
      modelName: basename(directory),
      directory,
    });
  });

  test("is a repository that was pulled, by its own name", async () => {
    const snapshot = { directory, revision: "main", missing: [] };
    const findCached = async (repo: string) => (repo === "a/b" ? snapshot : undefined);
    expect(await resolveModel("a/b", { ...places, findCached })).toEqual({
      modelName: "b",
      directory,
    });
  });

  test("is not a repository of which only a part is there", async () => {
    const missing = [{ path: "model.safetensors", sizeBytes: undefined }];
    const findCached = async () => ({ directory, revision: "main", missing });
    await expect(resolveModel("a/b", { ...places, findCached })).rejects.toThrow(
      "a/b is only partly on this machine: a file is missing, such as model.safetensors. Download the rest: atalaya pull a/b",
    );
  });

  test.each([
    { model: "llama-3.2-vision", says: /There is no model llama-3\.2-vision here/ },
    {
      model: "meta-llama/Llama-3.2-11B-Vision",
      says: /is not on this machine\. Download it first: atalaya pull meta-llama\/Llama-3\.2-11B/,
    },
    {
      model: "/no/such/place",
      says: /There is no directory \/no\/such\/place\. Pass the directory/,
    },
    { model: "./here", says: /There is no directory \.\/here/ },
    { model: tmpdir(), says: /holds no model: there is no config.json in it/ },
    { model: import.meta.filename, says: /is a file\. Pass the directory/ },
  ])("cannot be $model", async ({ model, says }) => {
    await expect(resolveModel(model, places)).rejects.toThrow(
      expect.objectContaining({ code: "model_not_found", message: expect.stringMatching(says) }),
    );
  });
});
