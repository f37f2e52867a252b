/** One decoding process, seen from the platform: started on demand, asked one picture at a time. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { RgbImage } from "../base/rgb-image.ts";
import { processArguments, workerEntry } from "../base/worker-entry.ts";
import {
  exitCodes,
  lengthHeaderBytes,
  maxPixels,
  parseReplyHeader,
  type ReplyStatus,
  replyHeaderBytes,
} from "./decode-protocol.ts";

/** Why there is no picture: bad bytes, or a process that had to be given up. */
export type DecodeFailure = "damaged" | "timed-out" | "out-of-memory" | "crashed" | "cancelled";

/** Starting Node and loading libvips; generous, because a busy machine is no fault of the picture. */
const startTimeoutMs = 30_000;

/** Only what a program needs to run at all: no keys, no tokens, no loader options. */
const inheritedEnvironment = ["PATH", "SystemRoot", "TEMP", "TMP", "TMPDIR", "LANG"];

export class DecoderProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #output: AsyncIterator<unknown>;
  /** Bytes that arrived behind what was asked for. */
  #rest: Uint8Array = new Uint8Array(0);
  readonly #ended: Promise<DecodeFailure>;
  #isReady = false;

  constructor() {
    const entry = workerEntry(import.meta.url, "./decode-worker");
    this.#child = spawn(
      process.execPath,
      ["--max-old-space-size=128", ...processArguments(entry)],
      { stdio: ["pipe", "pipe", "ignore"], env: bareEnvironment(), windowsHide: true },
    );
    // Writing to a process that has just ended must not be an unhandled error: `#ended` reports it.
    this.#child.stdin.on("error", () => {});
    this.#child.stdout.on("error", () => {});
    this.#output = this.#child.stdout[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", () => resolve("crashed"));
      this.#child.once("exit", (code) =>
        resolve(code === exitCodes.outOfMemory ? "out-of-memory" : "crashed"),
      );
    });
    this.#holdEventLoop(false);
  }

  /** Whether it can be asked again. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && !this.#child.killed;
  }

  /** One call at a time. After anything but a picture or `damaged` the process is gone. */
  async decode(
    file: Uint8Array,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
  ): Promise<RgbImage | DecodeFailure> {
    this.#holdEventLoop(true);
    try {
      if (!this.#isReady) {
        const started = await this.#withLimit(this.#readHeader(), startTimeoutMs, signal);
        if (typeof started === "string") return started === "timed-out" ? "crashed" : started;
        this.#isReady = true;
      }
      return await this.#withLimit(this.#ask(file), timeoutMs, signal);
    } finally {
      this.#holdEventLoop(false);
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async #ask(file: Uint8Array): Promise<RgbImage | DecodeFailure> {
    const length = new DataView(new ArrayBuffer(lengthHeaderBytes));
    length.setUint32(0, file.length, true);
    this.#child.stdin.write(new Uint8Array(length.buffer));
    this.#child.stdin.write(file);
    const { status, width, height } = await this.#readHeader();
    if (status !== "decoded") return "damaged";
    if (width * height > maxPixels) throw new Error("the decoding process ignored its limit");
    return { width, height, pixels: await this.#read(width * height * 3) };
  }

  async #readHeader(): Promise<{ status: ReplyStatus; width: number; height: number }> {
    return parseReplyHeader(await this.#read(replyHeaderBytes));
  }

  async #read(numBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(numBytes);
    let filled = 0;
    while (filled < numBytes) {
      if (this.#rest.length === 0) {
        const next = await this.#output.next();
        if (next.done === true) throw new Error("the decoding process ended");
        if (!(next.value instanceof Uint8Array)) throw new Error("the output is not binary");
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, numBytes - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes;
  }

  /** `work`, unless the time is up, the caller leaves or the process ends first; then it is killed. */
  async #withLimit<Result>(
    work: Promise<Result>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Result | DecodeFailure> {
    // When the process ends, reading fails too; why it ended is the better answer.
    const result = work.catch(() => this.#ended);
    let onAbort: (() => void) | undefined;
    let timer: NodeJS.Timeout | undefined;
    const givenUp = new Promise<DecodeFailure>((resolve) => {
      timer = setTimeout(() => resolve("timed-out"), timeoutMs);
      onAbort = () => resolve("cancelled");
      signal?.addEventListener("abort", onAbort, { once: true });
    }).then((failure) => {
      this.kill();
      return failure;
    });
    try {
      return await Promise.race([result, this.#ended, givenUp]);
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    }
  }

  /** An idle decoder must not keep the program running. */
  #holdEventLoop(isBusy: boolean): void {
    for (const handle of [this.#child, this.#child.stdin, this.#child.stdout]) {
      if (handle === this.#child || handle instanceof Socket) {
        if (isBusy) handle.ref();
        else handle.unref();
      }
    }
  }
}

function bareEnvironment(): NodeJS.ProcessEnv {
  const kept = inheritedEnvironment.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // Fewer allocator arenas: libvips' threads otherwise each keep a share of what they once used.
  return { ...Object.fromEntries(kept), MALLOC_ARENA_MAX: "2" };
}
