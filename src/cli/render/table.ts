/** A table as Xinference prints it: heads, dashes, columns two spaces apart. */

/** @returns lines that end in a line feed */
export function renderTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd();
  const dashes = widths.map((width) => "-".repeat(width));
  return [heads, dashes, ...rows].map((cells) => `${line(cells)}\n`).join("");
}
