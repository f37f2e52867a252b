/** A program that runs to its end: what it printed, how it ended; given up with all that it started. */
import { spawn } from "node:child_process";
import { allowedEnvironment } from "./environment.ts";
import { LogLines } from "./log-lines.ts";

export type RunOptions = {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Names of our own variables that it may see beside the usual ones. */
  readonly alsoSees?: RegExp;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** One line of either output. */
  readonly onLine?: (line: string) => void;
};

export type RunResult = {
  /** `undefined` when it could not be started, or was killed. */
  readonly code: number | undefined;
  /** Standard output, as far as `MAX_OUTPUT` characters. */
  readonly stdout: string;
  /** The last lines of both outputs. */
  readonly lastLines: readonly string[];
};

const MAX_OUTPUT = 4 * 1024 * 1024;
const MAX_LINE_LENGTH = 4_096;
const NUM_LAST_LINES = 40;

/** @throws the signal's reason when that aborts; whatever else happens is in the result */
export async function runProgram(options: RunOptions): Promise<RunResult> {
  const { program, args, env = {}, alsoSees, cwd, signal, timeoutMs, onLine } = options;
  signal?.throwIfAborted();
  const isPosix = process.platform !== "win32";
  const child = spawn(program, [...args], {
    env: { ...allowedEnvironment(alsoSees), ...env },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    detached: isPosix,
    windowsHide: true,
  });
  const kill = (): void => {
    try {
      if (isPosix && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      else child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(kill, timeoutMs);
  signal?.addEventListener("abort", kill, { once: true });
  let stdout = "";
  const lastLines: string[] = [];
  const hear = (line: string): void => {
    lastLines.push(line);
    if (lastLines.length > NUM_LAST_LINES) lastLines.shift();
    onLine?.(line);
  };
  for (const [stream, isOutput] of [
    [child.stdout, true],
    [child.stderr, false],
  ] as const) {
    const lines = new LogLines(hear, MAX_LINE_LENGTH);
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      if (isOutput && stdout.length < MAX_OUTPUT) stdout += text;
      lines.push(text);
    });
    stream.once("end", () => lines.end());
  }
  try {
    const code = await new Promise<number | undefined>((resolve) => {
      child.once("error", () => resolve(undefined));
      child.once("close", (exitCode) => resolve(exitCode ?? undefined));
    });
    signal?.throwIfAborted();
    return { code, stdout, lastLines };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", kill);
  }
}
