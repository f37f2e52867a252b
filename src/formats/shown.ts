const MAX_CHARACTERS = 80;

/**
 * A value out of a file, for a sentence: short, and without characters that a terminal would obey.
 */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  const start = text.slice(0, MAX_CHARACTERS).replace(/[^\x20-\x7e]/g, "?");
  return text.length > MAX_CHARACTERS ? `${start}…` : start;
}
