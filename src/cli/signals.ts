/** Ctrl-C and SIGTERM: the first asks, the second ends the process at once. */
import { errorTraits, PlatformError } from "../base/errors.ts";

export interface Interrupt extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
}

/** One that the program itself can pull too. */
export interface OwnInterrupt extends Interrupt {
  /** As a first signal would. */
  readonly interrupt: () => void;
}

/**
 * A terminal sends Ctrl-C to every process of its foreground group, and `npm` passes on what it gets:
 * both come within a moment, and are one key.
 */
const echoMs = 250;

/** Whether a signal at `now` is the one at `lastAt` once more. */
export function isEcho(lastAt: number | undefined, now: number): boolean {
  return lastAt !== undefined && now - lastAt < echoMs;
}

/** @param onFirst says what happens now, and that a second Ctrl-C is stronger */
export function listenForInterrupt(onFirst: () => void = () => undefined): OwnInterrupt {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) return;
    controller.abort(new PlatformError("cancelled", "Stopped."));
    onFirst();
  };
  let lastAt: number | undefined;
  const onSignal = (): void => {
    const now = performance.now();
    if (isEcho(lastAt, now)) return;
    lastAt = now;
    if (controller.signal.aborted) process.exit(errorTraits.cancelled.exitCode);
    interrupt();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    interrupt,
    [Symbol.dispose]: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

/** Resolves when `signal` aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
