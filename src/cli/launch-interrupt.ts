/**
 * Ctrl-C while a model is launched: it asks once, since hours of download may hang on it. A `y`, a second
 * Ctrl-C, SIGTERM, or nobody to ask: the launch is stopped. A third Ctrl-C ends the process at once.
 */
import { createInterface } from "node:readline";
import { errorTraits, PlatformError } from "../base/errors.ts";
import { type Interrupt, isEcho } from "./signals.ts";
import type { Terminal } from "./terminal.ts";

/** What is drawn on the terminal, and must be quiet while a question stands there. */
export type Drawing = { pause(): void; resume(): void };

export interface LaunchInterrupt extends Interrupt {
  /** From now on this is quiet while the question is asked. */
  watch(drawing: Drawing): void;
}

export function askBeforeStopping(terminal: Terminal): LaunchInterrupt {
  const controller = new AbortController();
  let drawing: Drawing | undefined;
  let closeQuestion: (() => void) | undefined;
  let lastAt: number | undefined;

  const stop = (): void => {
    closeQuestion?.();
    if (controller.signal.aborted) process.exit(errorTraits.cancelled.exitCode);
    controller.abort(new PlatformError("cancelled", "Stopped."));
  };
  const ask = (): void => {
    drawing?.pause();
    const { stdin, stderr } = terminal;
    const lines = createInterface({ input: stdin, output: stderr });
    closeQuestion = () => {
      closeQuestion = undefined;
      lines.close();
      // Or the process would wait for more of it.
      stdin.pause();
      stdin.unref?.();
    };
    // With a terminal, readline takes Ctrl-C for itself.
    lines.on("SIGINT", () => {
      stderr.write("\n");
      onInterrupt();
    });
    lines.on("close", () => {
      if (closeQuestion === undefined) return;
      closeQuestion = undefined;
      drawing?.resume();
    });
    lines.question("\nStop the launch? What is downloaded stays. [y/N] ", (answer) => {
      if (/^y(es)?$/i.test(answer.trim())) stop();
      else {
        closeQuestion?.();
        drawing?.resume();
      }
    });
  };
  const onInterrupt = (): void => {
    const now = performance.now();
    if (isEcho(lastAt, now)) return;
    lastAt = now;
    const canAsk = terminal.stdin.isTTY && terminal.stderr.isTTY;
    if (canAsk && closeQuestion === undefined && !controller.signal.aborted) ask();
    else stop();
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", stop);
  return {
    signal: controller.signal,
    watch: (next) => {
      drawing = next;
    },
    [Symbol.dispose]: () => {
      closeQuestion?.();
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", stop);
    },
  };
}
