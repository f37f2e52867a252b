/** Outcomes as a table, as JSON and as a picture. */
import { renderTable } from "../render/table.ts";
import type { Outcome, Result } from "./compare.ts";

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly version: string;
};

export function renderOutcomes(outcomes: readonly Outcome[], names: readonly string[]): string {
  const heads = [
    "",
    ...names.flatMap((name, index) => (index === 0 ? [name] : [name, "×"])),
    "unit",
  ];
  const rows = outcomes.map(({ measure, results }) => [
    measure.title,
    ...results.flatMap((result, index) =>
      index === 0 ? [showResult(result)] : [showResult(result), showNumber(result.ratio)],
    ),
    measure.unit,
  ]);
  return renderTable(heads, rows);
}

function showResult({ median, least, most }: Result): string {
  const spread = (most - least) / 2;
  return spread === 0 ? showNumber(median) : `${showNumber(median)} ± ${showNumber(spread)}`;
}

function showNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** What is kept of a run: enough to say where it came from and to compare with it. */
export function toJson(
  outcomes: readonly Outcome[],
  about: {
    readonly command: string;
    readonly model: string;
    readonly machine: Machine;
    readonly names: readonly string[];
    readonly takenAt: Date;
  },
): object {
  return {
    command: about.command,
    model: about.model,
    taken_at: about.takenAt.toISOString(),
    machine: {
      cpu: about.machine.cpu,
      cores: about.machine.cores,
      memory_bytes: about.machine.memoryBytes,
      node: about.machine.node,
      atalaya: about.machine.version,
    },
    measures: outcomes.map(({ measure, results }) => ({
      name: measure.name,
      unit: measure.unit,
      better: measure.better,
      results: results.map(({ median, least, most, ratio, runs }, index) => ({
        contestant: about.names[index],
        median: round(median),
        least: round(least),
        most: round(most),
        ratio: round(ratio),
        runs: runs.map(round),
      })),
    })),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(5));
}

const colours = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#a463f2", "#9c6b4e"];
const bar = { height: 14, gap: 3, width: 360, left: 250, right: 120 };

/** Bars beside each other, each measure on its own scale with the best at full length. */
export function renderSvg(
  outcomes: readonly Outcome[],
  names: readonly string[],
  title: string,
): string {
  const parts: string[] = [];
  let y = 56;
  for (const { measure, results } of outcomes) {
    const goodness = results.map(({ median }) => (measure.better === "more" ? median : 1 / median));
    const best = Math.max(...goodness);
    parts.push(text(bar.left - 10, y + bar.height, measure.title, "end"));
    results.forEach(({ median }, index) => {
      const width = ((goodness[index] ?? 0) / best) * bar.width;
      const top = y + index * (bar.height + bar.gap);
      parts.push(
        `<rect x="${bar.left}" y="${top}" width="${width.toFixed(1)}" height="${bar.height}" fill="${colours[index % colours.length]}"/>`,
        text(
          bar.left + width + 6,
          top + bar.height - 3,
          `${showNumber(median)} ${measure.unit}`,
          "start",
        ),
      );
    });
    y += results.length * (bar.height + bar.gap) + 14;
  }
  const legend = names.map((name, index) => {
    const x = bar.left + index * 150;
    return `<rect x="${x}" y="32" width="10" height="10" fill="${colours[index % colours.length]}"/>${text(x + 15, 41, name, "start")}`;
  });
  const width = bar.left + bar.width + bar.right;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" font-family="sans-serif" font-size="11">
<title>${escapeXml(title)}</title>
<rect width="100%" height="100%" fill="white"/>
${text(10, 20, `${title}; longer is better`, "start")}
${[...legend, ...parts].join("\n")}
</svg>
`;
}

function text(x: number, y: number, words: string, anchor: "start" | "end"): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${escapeXml(words)}</text>`;
}

function escapeXml(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
