/**
 * Every attack that this program is built against has an id, such as `DL-15`, and the tests that make it carry the id in
 * their names. `test/attacks` says which file that is; here it is checked that it says so truthfully, both ways.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../src/config/package.ts";
import { authentication } from "./attacks/authentication.ts";
import { downloads } from "./attacks/downloads.ts";
import { faults } from "./attacks/faults.ts";
import { guarantees } from "./attacks/guarantees.ts";
import { http } from "./attacks/http.ts";
import { logs } from "./attacks/logs.ts";
import { modelFiles } from "./attacks/model-files.ts";
import { otherMachines } from "./attacks/other-machines.ts";
import { parameters } from "./attacks/parameters.ts";
import { pictures } from "./attacks/pictures.ts";
import { prompts } from "./attacks/prompts.ts";
import type { Section } from "./attacks/section.ts";
import { serverSideFetches } from "./attacks/server-side-fetches.ts";
import { supplyChain } from "./attacks/supply-chain.ts";
import { tools } from "./attacks/tools.ts";
import { webPage } from "./attacks/web-page.ts";
import { workers } from "./attacks/workers.ts";

const sections: readonly Section[] = [
  authentication,
  serverSideFetches,
  http,
  prompts,
  parameters,
  pictures,
  tools,
  modelFiles,
  downloads,
  workers,
  otherMachines,
  webPage,
  supplyChain,
  logs,
  faults,
  guarantees,
];

const prefixes = sections.map(({ prefix }) => prefix);
const anyId = new RegExp(`\\b(?:${prefixes.join("|")})-\\d\\d\\b`, "g");

const read = new Map<string, ReadonlySet<string>>();

function idsIn(path: string): ReadonlySet<string> {
  const known = read.get(path) ?? readIds(path);
  read.set(path, known);
  return known;
}

/** The ids in the names of a file's tests, which are its strings; of what is no TypeScript, all ids. */
function readIds(path: string): ReadonlySet<string> {
  const text = readFileSync(join(packageRoot(), path), "utf8");
  if (!path.endsWith(".ts") || text.match(anyId) === null) return new Set(text.match(anyId));
  const ids = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (isSkipped(node)) return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateTail(node)) {
      for (const id of node.text.match(anyId) ?? []) ids.add(id);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return ids;
}

/** A test that never runs answers nothing. (`skipIf` does where it can.) */
function isSkipped(node: ts.Node): boolean {
  return (
    ts.isCallExpression(node) &&
    /^(?:test|it|describe)\b.*\.(?:skip|todo)\b/s.test(node.expression.getText())
  );
}

const attacks = sections.flatMap(({ prefix, attacks }) =>
  Object.entries(attacks).map(([number, attack]) => ({ id: `${prefix}-${number}`, attack })),
);

describe("the catalogue of attacks", () => {
  test.each(sections)("leaves no number out: $prefix, $title", ({ attacks }) => {
    const numbers = Object.keys(attacks).toSorted();
    expect(numbers).toEqual(
      Array.from({ length: numbers.length }, (_, index) => `${index + 1}`.padStart(2, "0")),
    );
  });

  test.each(
    attacks.flatMap(({ id, attack }) =>
      "tests" in attack ? [{ id, input: attack.input, tests: attack.tests }] : [],
    ),
  )("$id is tested: $input", ({ id, tests }) => {
    expect(tests.length).toBeGreaterThan(0);
    for (const path of tests) {
      expect([path, idsIn(path).has(id)], `no test in ${path} has ${id} in its name`).toEqual([
        path,
        true,
      ]);
    }
  });

  test("knows every test that says it makes an attack of these", () => {
    const said = new Map(
      attacks.map(({ id, attack }) => [id, "tests" in attack ? attack.tests : []]),
    );
    const unknown = testFiles().flatMap((path) =>
      [...idsIn(path)]
        .filter((id) => said.get(id)?.includes(path) !== true)
        .map((id) => `${id} in ${path}`),
    );
    expect(unknown).toEqual([]);
  });
});

function testFiles(): string[] {
  const own = "test/attack-catalogue.test.ts";
  return ["src", "test", "packages"].flatMap((folder) =>
    readdirSync(join(packageRoot(), folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.ts") && !/(^|\/)(node_modules|dist)\//.test(name))
      .map((name) => `${folder}/${name}`)
      .filter((path) => path !== own),
  );
}
