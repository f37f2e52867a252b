/**
 * A child process that does work for us: started in a process group of its own, watched, stopped.
 *
 * Its environment is built from an allow-list, so that secrets of ours never reach it. Its standard
 * input stays open as long as we live: a child that finds it closed ends itself.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../base/errors.ts";
import { allowedEnvironment } from "./environment.ts";
import { LogLines } from "./log-lines.ts";

export type ChildOptions = {
  /** What is started; this `node` when absent. */
  readonly program?: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** How long until the first line on its standard output, which says that it is ready. */
  readonly readyTimeoutMs: number;
  /** One line of its standard error. */
  readonly onLog: (line: string) => void;
  readonly signal?: AbortSignal;
};

export type ChildExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A child that floods its log is heard this much each second. */
const MAX_LINES_PER_SECOND = 200;
const MAX_LINE_LENGTH = 4096;
/** What it wrote before it ended comes within this time, if it comes. */
const LAST_WORDS_MS = 500;

export class Child {
  readonly pid: number;
  /** Settles when the process has ended, for whatever reason. */
  readonly exited: Promise<ChildExit>;
  /**
   * Settles when its last line has been heard, which may be after its end. A process of its own that
   * outlives it can keep this open.
   */
  readonly logEnded: Promise<void>;
  readonly #process: ChildProcess;
  #hasExited = false;
  #numLogLines = 0;

  private constructor(child: ChildProcess, pid: number) {
    this.#process = child;
    this.pid = pid;
    this.logEnded = new Promise((resolve) => {
      if (child.stderr === null) resolve();
      else child.stderr.once("close", () => resolve());
    });
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#hasExited = true;
        // What it started with it does not outlive it; with nothing left, there is no such group.
        killGroup(pid);
        resolve({ code, signal });
      });
    });
  }

  /**
   * Start a process and wait for its first line.
   *
   * @throws PlatformError `worker_failed` when it ends first, `worker_timed_out` when it says nothing
   */
  static async start(options: ChildOptions): Promise<Child> {
    const { program = process.execPath, args, env = {}, onLog, readyTimeoutMs, signal } = options;
    const process_ = spawn(program, [...args], {
      env: { ...allowedEnvironment(), ...env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    process_.on("error", () => {}); // "exit" or the missing pid tells
    process_.stdin?.on("error", () => {}); // it ended before we did
    const { pid } = process_;
    if (pid === undefined) {
      throw new PlatformError("worker_failed", "The engine's process could not be started.");
    }
    const child = new Child(process_, pid);
    forwardLines(process_, (line) => {
      child.#numLogLines++;
      onLog(line);
    });
    try {
      await child.#waitUntilReady(readyTimeoutMs, signal);
      return child;
    } catch (error) {
      await child.stop({ graceMs: 0 });
      throw error;
    }
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Ask it to end, and end its whole group after `graceMs`. */
  async stop({ graceMs }: { readonly graceMs: number }): Promise<ChildExit> {
    if (!this.#hasExited && graceMs > 0) {
      this.#process.stdin?.end();
      const timer = setTimeout(() => this.#kill(), graceMs);
      await this.exited;
      clearTimeout(timer);
    }
    this.#kill();
    return await this.exited;
  }

  #kill(): void {
    if (this.#hasExited) return;
    if (process.platform === "win32") this.#process.kill("SIGKILL");
    else killGroup(this.pid);
  }

  async #waitUntilReady(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { stdout } = this.#process;
    if (stdout === null) throw new Error("the child has no standard output");
    let timer: NodeJS.Timeout | undefined;
    let abort: (() => void) | undefined;
    try {
      await Promise.race([
        new Promise<void>((resolve) => stdout.once("data", () => resolve())),
        this.exited.then(async ({ code, signal: by }) => {
          await Promise.race([this.logEnded, sleep(LAST_WORDS_MS)]);
          throw new PlatformError(
            "worker_failed",
            `The engine's process ended while it started (${by ?? `exit code ${code}`}). ${this.#numLogLines > 0 ? "Its last words are in the server's log (--log-level info)." : "It said nothing. See that Node and the packages of ggml are whole: install Atalaya again."}`,
          );
        }),
        new Promise<never>((_, reject) => {
          timer = setTimeout(
            () =>
              reject(
                new PlatformError(
                  "worker_timed_out",
                  `The engine's process was not ready after ${timeoutMs / 1000} s.`,
                ),
              ),
            timeoutMs,
          );
          abort = () =>
            reject(new PlatformError("cancelled", "Starting the engine was cancelled."));
          signal?.addEventListener("abort", abort, { once: true });
          if (signal?.aborted) abort();
        }),
      ]);
    } finally {
      clearTimeout(timer);
      if (abort !== undefined) signal?.removeEventListener("abort", abort);
      stdout.resume();
    }
  }
}

function killGroup(leader: number): void {
  if (process.platform === "win32") return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // Nobody of it is left.
  }
}

function forwardLines({ stderr }: ChildProcess, onLog: (line: string) => void): void {
  if (stderr === null) return;
  let second = 0;
  let numLines = 0;
  const lines = new LogLines((line) => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) {
      second = now;
      numLines = 0;
    }
    if (numLines++ < MAX_LINES_PER_SECOND) onLog(line);
  }, MAX_LINE_LENGTH);
  stderr.setEncoding("utf8");
  stderr.on("data", (text: string) => lines.push(text));
  stderr.once("end", () => lines.end());
}
