/** Ollama's `keep_alive`: for how long a model stays after an answer. Pure. */
import { parseDurationMs } from "../../../base/duration.ts";
import { PlatformError } from "../../../base/errors.ts";

/** `undefined`: nothing was said; `forever`: it stays; a number: milliseconds without a question. */
export type KeepAlive = number | "forever" | undefined;

/**
 * A number is seconds, as is text that is a number; other text is a duration as Go writes it: `5m`,
 * `1h30m`, `-1m`. Less than 0 is forever.
 *
 * @throws PlatformError `invalid_request`
 */
export function parseKeepAlive(value: number | string | null | undefined): KeepAlive {
  if (value == null || value === "") return undefined;
  const ms = typeof value === "number" ? value * 1_000 : durationMs(value.trim());
  return ms < 0 ? "forever" : ms;
}

function durationMs(text: string): number {
  if (/^[+-]?\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  // Go knows no days.
  const ms = text.includes("d") ? undefined : parseDurationMs(text);
  if (ms !== undefined) return ms;
  throw new PlatformError(
    "invalid_request",
    `"keep_alive" is ${JSON.stringify(text.slice(0, 40))}; it must be seconds, or a duration such as "5m".`,
    { details: { param: "keep_alive" } },
  );
}
