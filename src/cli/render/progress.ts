/** One line on stderr that is rewritten while something loads; nothing where nobody watches. */
import type { Terminal } from "../terminal.ts";

type Progress = { readonly stage: string; readonly fraction: number | undefined };

const intervalMs = 100;
const clearLine = "\r\u001b[K";

/**
 * @param read called now and then; `undefined` when there is nothing to say
 * @returns disposing it takes the line away
 */
export function showLoading(
  { stderr }: Terminal,
  name: string,
  read: () => Progress | undefined,
): Disposable {
  if (!stderr.isTTY) return { [Symbol.dispose]: () => undefined };
  let isShown = false;
  const timer = setInterval(() => {
    const progress = read();
    if (progress === undefined) return;
    isShown = true;
    stderr.write(`${clearLine}Loading ${name}: ${describeProgress(progress)}`);
  }, intervalMs);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      if (isShown) stderr.write(clearLine);
      isShown = false;
    },
  };
}

export function describeProgress({ stage, fraction }: Progress): string {
  return fraction === undefined ? stage : `${stage} ${Math.round(fraction * 100)} %`;
}
