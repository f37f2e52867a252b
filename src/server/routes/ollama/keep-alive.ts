/** Ollama's `keep_alive`: for how long a model stays after an answer. Pure. */
import { PlatformError } from "../../../base/errors.ts";

/** `undefined`: nothing was said; `forever`: it stays; a number: milliseconds without a question. */
export type KeepAlive = number | "forever" | undefined;

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

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
  if (!/^[+-]?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw new PlatformError(
      "invalid_request",
      `"keep_alive" is ${JSON.stringify(text.slice(0, 40))}; it must be seconds, or a duration such as "5m".`,
      { details: { param: "keep_alive" } },
    );
  }
  const sum = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)].reduce(
    (total, [, amount, unit = ""]) => total + Number(amount) * (unitMs[unit] ?? 0),
    0,
  );
  return text.startsWith("-") ? -sum : sum;
}
