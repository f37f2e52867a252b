/** A table as Xinference prints it: heads, dashes, columns two spaces apart. */

/**
 * Cells may hold what others have named, which must not steer the terminal it is shown on.
 *
 * @returns lines that end in a line feed
 */
export function renderTable(
  heads: readonly string[],
  cells: readonly (readonly string[])[],
): string {
  const rows = cells.map((row) => row.map((cell) => cell.replace(/\p{Cc}/gu, "\ufffd")));
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd();
  const dashes = widths.map((width) => "-".repeat(width));
  return [heads, dashes, ...rows].map((cells) => `${line(cells)}\n`).join("");
}
