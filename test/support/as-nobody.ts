/** To be somebody whom permissions hold back: tests run as root in containers, and nothing is forbidden to root. */

const NOBODY = 65_534;

/** Why it cannot be done here; `undefined` when it can. */
export const lackOfNobody =
  process.platform === "win32" ? "Windows has other permissions" : undefined;

/** Run something without root's rights. Whatever it loads must be loaded by then. */
export async function asNobody<Value>(act: () => Promise<Value>): Promise<Value> {
  if (process.getuid?.() !== 0 || process.seteuid === undefined) return await act();
  process.seteuid(NOBODY);
  try {
    return await act();
  } finally {
    process.seteuid(0);
  }
}
