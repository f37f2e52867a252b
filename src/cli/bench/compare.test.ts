import { expect, test } from "vitest";
import { summarize } from "./compare.ts";
import { renderOutcomes, renderSvg, toJson } from "./report.ts";

const speed = {
  name: "decode",
  title: "decode, one <stream>",
  unit: "tokens/s",
  better: "more",
  run: async () => 1,
} as const;
const delay = { ...speed, name: "ttft", title: "first token", unit: "ms", better: "less" } as const;

test("a ratio above 1 is better, whether more or less of it is", () => {
  expect(summarize(speed, [[10, 12, 11], [33]])).toMatchObject([
    { median: 11, least: 10, most: 12, ratio: 1 },
    { median: 33, ratio: 3 },
  ]);
  expect(summarize(delay, [[100], [25, 75]])).toMatchObject([
    { ratio: 1 },
    { median: 50, ratio: 2 },
  ]);
});

const outcomes = [
  { measure: speed, results: summarize(speed, [[10, 12, 11], [33]]) },
  { measure: delay, results: summarize(delay, [[100], [50]]) },
];

test("the table has a column for each contestant and what it is to the first", () => {
  expect(renderOutcomes(outcomes, ["native", "transformers"])).toBe(
    [
      "                      native       transformers  ×     unit",
      "--------------------  -----------  ------------  ----  --------",
      "decode, one <stream>  11.0 ± 1.00  33.0          3.00  tokens/s",
      "first token           100          50.0          2.00  ms",
      "",
    ].join("\n"),
  );
});

test("JSON says where the numbers come from", () => {
  const json = toJson(outcomes, {
    command: "atalaya bench demo",
    model: "demo",
    machine: { cpu: "c", cores: 2, memoryBytes: 3, node: "v20", version: "1" },
    names: ["native", "transformers"],
    takenAt: new Date(0),
  });
  expect(json).toMatchObject({
    command: "atalaya bench demo",
    taken_at: "1970-01-01T00:00:00.000Z",
    machine: { cpu: "c", cores: 2 },
    measures: [
      { name: "decode", results: [{ contestant: "native", runs: [10, 12, 11] }, { ratio: 3 }] },
      { name: "ttft" },
    ],
  });
});

test("the picture is well-formed, and takes words as words", () => {
  const svg = renderSvg(outcomes, ["native", "a & b"], "demo");
  expect(svg).toContain("decode, one &lt;stream&gt;");
  expect(svg).toContain("a &amp; b");
  expect(svg.match(/<rect x="250"/g)).toHaveLength(2 * 2 + 1);
});
