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

describe("what is launched", () => {
  test("is the bundled checkpoint, or a directory", async () => {
    expect(await resolveModel("demo", { demoDirectory: directory })).toEqual({
      modelName: "demo",
      directory,
    });
    expect(await resolveModel(directory, { demoDirectory: "/none" })).toEqual({
      modelName: basename(directory),
      directory,
    });
  });

  test.each([
    {
      model: "llama-3.2-vision",
      says: /does not download models: download llama-3.2-vision first/,
    },
    { model: "meta-llama/Llama-3.2-11B-Vision", says: /does not download models/ },
    {
      model: "/no/such/place",
      says: /There is no directory \/no\/such\/place\. Pass the directory/,
    },
    { model: "./here", says: /There is no directory \.\/here/ },
    { model: tmpdir(), says: /holds no model: there is no config.json in it/ },
    { model: import.meta.filename, says: /is a file\. Pass the directory/ },
  ])("cannot be $model", async ({ model, says }) => {
    await expect(resolveModel(model, { demoDirectory: "/none" })).rejects.toThrow(
      expect.objectContaining({ code: "model_not_found", message: expect.stringMatching(says) }),
    );
  });
});
