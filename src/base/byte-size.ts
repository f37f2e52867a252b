/** Amounts of memory as people write them: `512MB`, `1.5GiB`, `0`. Pure. */

const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  kib: 2 ** 10,
  m: 1e6,
  mb: 1e6,
  mib: 2 ** 20,
  g: 1e9,
  gb: 1e9,
  gib: 2 ** 30,
  t: 1e12,
  tb: 1e12,
  tib: 2 ** 40,
};

/** @returns bytes, or `undefined` when the text is no amount of them */
export function parseByteSize(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) ?([a-z]{0,3})$/i.exec(text.trim()) ?? [];
  const scale = unitBytes[unit.toLowerCase()];
  if (amount === undefined || scale === undefined) return undefined;
  const bytes = Math.round(Number(amount) * scale);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
