import { join } from "node:path";
import { cruise, type ICruiseOptions, type ICruiseResult } from "dependency-cruiser";
import extractTsConfig from "dependency-cruiser/config-utl/extract-ts-config";
import { expect, test } from "vitest";
import configuration from "../dependency-cruiser.config.ts";
import { packageRoot } from "../src/config/package.ts";

async function check(baseDir: string, folders: string[]): Promise<ICruiseResult["summary"]> {
  const options: ICruiseOptions = {
    ...configuration.options,
    ruleSet: configuration,
    validate: true,
    baseDir,
  };
  const tsConfig = extractTsConfig(join(packageRoot(), "tsconfig.json"));
  const { output } = await cruise(folders, options, {}, { tsConfig });
  if (typeof output === "string") throw new Error("expected a result, got a report");
  return output.summary;
}

test("the layers hold", async () => {
  const { violations, totalCruised, totalDependenciesCruised } = await check(packageRoot(), [
    "src",
    "packages",
  ]);
  expect(violations).toEqual([]);
  // A checker that silently reads nothing reports no violation either.
  expect(totalCruised).toBeGreaterThan(100);
  expect(totalDependenciesCruised).toBeGreaterThan(300);
});

test("planted violations are found", async () => {
  const { violations } = await check(join(packageRoot(), "test/support/planted"), ["src"]);
  expect(violations.map(({ rule }) => rule.name).toSorted()).toEqual([
    "c-is-called-from-few-folders",
    "engines-are-met-at-the-front-door",
    "engines-do-not-know-each-other",
    "every-folder-is-in-the-table",
    "hub-imports-only-its-layers",
    "image-imports-only-its-layers",
    "no-cycles",
  ]);
});
