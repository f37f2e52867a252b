/** JSON as answers are made to write it and templates write it: on one line, as Python's `json.dumps` would. */
export function literalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literalJson).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const pairs = Object.entries(value).map(
      ([key, inner]) => `${JSON.stringify(key)}: ${literalJson(inner)}`,
    );
    return `{${pairs.join(", ")}}`;
  }
  return JSON.stringify(value);
}
