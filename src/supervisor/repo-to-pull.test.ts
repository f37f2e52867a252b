import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/checkpoint-files.ts";
import { builtinRegistry, tinyCheckpoint } from "../../test/support/serve.ts";
import { builtinModels } from "../config/package.ts";
import { Registry } from "../registry/registry.ts";
import { registerDirectory } from "./registration.ts";
import { repoToPull } from "./repo-to-pull.ts";

test.each([
  { model: "llama-3.2-vision", name: "Llama-3.2-11B-Vision" },
  { model: "Llama-3.2-Vision:90B", name: "Llama-3.2-90B-Vision" },
  { model: "llama-3.2-vision-instruct:11", name: "Llama-3.2-11B-Vision-Instruct" },
])("$model is $name on both hubs", async ({ model, name }) => {
  expect(await repoToPull(model, builtinRegistry())).toMatchObject({
    huggingface: { repo: `meta-llama/${name}`, revision: "main" },
    modelscope: { repo: `LLM-Research/${name}`, revision: "master" },
  });
});

test.each(["LLM-Research/Llama-3.2-11B-Vision", "a/b", "../../etc/passwd"])(
  "%s stays as it is typed",
  async (model) => {
    expect(await repoToPull(model, builtinRegistry())).toBe(model);
  },
);

test.each([
  { model: "lama-3.2-vision", says: /Did you mean llama-3\.2-vision\?/ },
  { model: "llama-3.2-vision:70b", says: /its sizes are 11, 90\. The nearest is 90\./ },
  { model: "demo", says: /^demo comes with Atalaya: there is nothing to download\./ },
])("$model is refused", async ({ model, says }) => {
  await expect(repoToPull(model, builtinRegistry())).rejects.toThrow(says);
});

test("a registered directory is refused, with the directory", async () => {
  using folder = temporaryFolder();
  const registry = new Registry({
    builtinDirectory: builtinModels(),
    registrationsDirectory: folder.path,
    modelRoots: [tinyCheckpoint],
  });
  await registerDirectory(registry, tinyCheckpoint, "mine");
  await expect(repoToPull("mine", registry)).rejects.toThrow(
    `mine is in ${tinyCheckpoint}: there is nothing to download. Launch it as it is.`,
  );
});
