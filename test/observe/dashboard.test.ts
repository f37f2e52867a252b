/** The dashboard in the docs asks for series that there are. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../src/config/package.ts";
import { Metrics } from "../../src/observe/metrics.ts";

const metric =
  /\b(?:atalaya|xinference)[_:][a-z_]+|\b(?:requests_total|responses_total|exceptions_total|status_codes)_counter\b/g;

async function known(): Promise<Set<string>> {
  const metrics = new Metrics({
    list: () => [],
    queueOf: () => ({ numRunning: 0, numWaiting: 0, numAskers: 0 }),
    version: "0",
  });
  metrics.countUnfinishedBatches(() => 0);
  const text = await metrics.render();
  return new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? ""));
}

test("every name in the dashboard and on the page is one that is measured, and none is left out", async () => {
  const names = await known();
  // Names of a histogram's own series lead to it.
  const family = (name: string): string =>
    names.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
  const text = await readFile(join(packageRoot(), "docs/reference/grafana-dashboard.json"), "utf8");
  const { panels } = JSON.parse(text) as { panels: { targets: { expr: string }[] }[] };
  const asked = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => [...expr.matchAll(metric)].map(([name]) => family(name))),
  );
  expect(asked.length).toBeGreaterThan(15);
  expect(asked.filter((name) => !names.has(name))).toEqual([]);

  const page = await readFile(join(packageRoot(), "docs/reference/operations.md"), "utf8");
  const told = new Set([...page.matchAll(metric)].map(([name]) => family(name)));
  expect([...names].filter((name) => !told.has(name))).toEqual([]);
});
