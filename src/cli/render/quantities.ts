/** Sizes, speeds and times as people read them. */

/** Decimal units, as hubs and disks count. */
export function showBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export function showDuration(seconds: number): string {
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Speed over the last seconds: what is left takes as long as it lately took. */
export class RateMeter {
  readonly #samples: { atMs: number; value: number }[] = [];
  readonly #windowMs: number;

  constructor({ windowMs = 8_000 } = {}) {
    this.#windowMs = windowMs;
  }

  /** @param value what is done by now */
  add(value: number, atMs: number): void {
    this.#samples.push({ atMs, value });
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - this.#windowMs) this.#samples.shift();
  }

  /** @returns a second; `undefined` while it cannot be told */
  rate(): number | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < 300) return undefined;
    return ((last.value - first.value) * 1_000) / (last.atMs - first.atMs);
  }
}
