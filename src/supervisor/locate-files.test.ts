import { expect, test } from "vitest";
import type { Snapshot } from "../hub/caches/repo-cache.ts";
import type { ModelSource } from "../registry/model-family.ts";
import { locateIn } from "./locate-files.ts";

const sources: readonly ModelSource[] = [
  { hub: "huggingface", modelId: "a/new", aliases: ["a/old"], revision: "main" },
  { hub: "modelscope", modelId: "b/new", aliases: ["b/old"], revision: "master" },
];

const whole: Snapshot = { directory: "/whole", revision: "main", missing: [] };
const partial: Snapshot = {
  directory: "/partial",
  revision: "main",
  missing: [{ path: "model.safetensors", sizeBytes: undefined }],
};

test("every hub is looked at under every name, in order, at its own revision", async () => {
  const asked: string[] = [];
  const locate = locateIn(async (repo, revision) => {
    asked.push(`${repo}@${revision}`);
    return undefined;
  });
  expect(await locate(sources)).toBeUndefined();
  expect(asked).toEqual(["a/new@main", "a/old@main", "b/new@master", "b/old@master"]);
});

test.each<{ cached: Record<string, Snapshot>; repo: string; directory: string }>([
  { cached: { "a/old": whole }, repo: "a/old", directory: "/whole" },
  { cached: { "b/new": whole }, repo: "b/new", directory: "/whole" },
  { cached: { "a/new": partial, "b/old": whole }, repo: "b/old", directory: "/whole" },
  { cached: { "a/old": partial, "b/new": partial }, repo: "a/old", directory: "/partial" },
])("of $cached it is $repo", async ({ cached, repo, directory }) => {
  const locate = locateIn(async (name) => cached[name]);
  expect(await locate(sources)).toMatchObject({ repo, directory });
});
