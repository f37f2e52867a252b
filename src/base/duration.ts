/** Durations as people and Go write them: `5m`, `1h30m`, `90d`. Pure. */

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** @returns milliseconds, or `undefined` when the text is no duration */
export function parseDurationMs(text: string): number | undefined {
  if (!/^[+-]?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+$/.test(text)) return undefined;
  const sum = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g)].reduce(
    (total, [, amount, unit = ""]) => total + Number(amount) * (unitMs[unit] ?? 0),
    0,
  );
  return text.startsWith("-") ? -sum : sum;
}
