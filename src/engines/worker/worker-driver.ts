/**
 * The platform's side of an engine: owns its worker process and starts it again when it dies.
 *
 * A worker that ends takes its running answers with it: their streams throw `worker_failed` at once.
 * The next request is served by a fresh worker, unless workers keep dying.
 */

import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Engine as EngineService } from "@atalaya/protocol/engine";
import type { Client } from "@connectrpc/connect";
import { PlatformError } from "../../base/errors.ts";
import type { EngineEvent, EnginePrompt, EngineSampling } from "../../generation/engine-prompt.ts";
import { Child, type ChildExit } from "../../process/child.ts";
import type {
  Engine,
  EngineKind,
  EngineLoader,
  EngineLoadOptions,
  EngineModelInfo,
  EngineStats,
} from "../engine.ts";
import { StallWatch } from "./stall-watch.ts";
import { Suspects } from "./suspects.ts";
import {
  fromGenerateReply,
  fromModelInfo,
  fromStatsReply,
  toGenerateRequest,
  toLoadRequest,
} from "./wire.ts";
import { fromConnectError } from "./wire-error.ts";
import { WorkerConnections } from "./worker-connections.ts";

type Hooks = Parameters<EngineLoader>[1];

/** Until it listens; a library that takes long to load is loaded after that. */
const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 2_000;
const EXIT_PATIENCE_MS = 500;
/** Lines of its log that are told when a worker ends unexpectedly. */
const NUM_LAST_LINES = 20;
/** Pauses before the first, second, … restart within the crash window; then no more. */
const RESTART_PAUSES_MS = [0, 1_000, 2_000, 4_000] as const;
const CRASH_WINDOW_MS = 10 * 60_000;
/** Pictures go to the worker as pixels. */
const MAX_REQUEST_BYTES = 2 ** 31 - 1;
/** What comes back is tokens and numbers; more than this is not listened to. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;
/** A worker with answers under way that says nothing for so long is ended. */
const STALL_PATIENCE_MS = 30_000;

/** How an engine's process is started. */
export type WorkerCommand = {
  readonly kind: EngineKind;
  /** The program; this `node` when absent. */
  readonly program?: string;
  /** What it is started with, before the socket's path. */
  readonly args: readonly string[];
  /** Variables beside those that every child gets. */
  readonly env?: Readonly<Record<string, string>>;
  /** After so long without a sign of life under an answer it is ended; half a minute when absent. */
  readonly stallPatienceMs?: number;
};

export class WorkerDriver implements Engine {
  readonly #options: EngineLoadOptions;
  readonly #hooks: Hooks;
  readonly #command: WorkerCommand;
  #worker: Promise<LoadedWorker>;
  #model: EngineModelInfo;
  #crashTimes: number[] = [];
  #problem: PlatformError | undefined;
  readonly #suspects = new Suspects();
  /** Aborts when the engine is disposed of. */
  readonly #disposal = new AbortController();

  private constructor(parts: {
    readonly options: EngineLoadOptions;
    readonly hooks: Hooks;
    readonly command: WorkerCommand;
    readonly worker: LoadedWorker;
  }) {
    this.#options = parts.options;
    this.#hooks = parts.hooks;
    this.#command = parts.command;
    this.#model = parts.worker.model;
    this.#worker = Promise.resolve(parts.worker);
    this.#watch(parts.worker);
  }

  /** Start a worker and load its model. Disposing the result ends the process. */
  static async start(
    options: EngineLoadOptions,
    hooks: Hooks,
    command: WorkerCommand,
  ): Promise<WorkerDriver> {
    const worker = await LoadedWorker.start(options, hooks, command);
    return new WorkerDriver({ options, hooks, command, worker });
  }

  get kind(): EngineKind {
    return this.#command.kind;
  }

  get model(): EngineModelInfo {
    return this.#model;
  }

  /** The worker's process, for those who watch or test it. */
  async workerPid(): Promise<number> {
    return (await this.#worker).pid;
  }

  async *generate(
    prompt: EnginePrompt,
    options: { readonly sampling: EngineSampling; readonly signal: AbortSignal },
  ): AsyncGenerator<EngineEvent, void> {
    const witness = await this.#suspects.admit(prompt, options.signal);
    let isWhole = false;
    try {
      const worker = await this.#ready(options.signal);
      try {
        yield* worker.generate(prompt, options);
        isWhole = true;
      } catch (error) {
        if (worker.hasEnded) witness.accuse();
        else isWhole = true;
        throw error;
      }
    } finally {
      witness.leave(isWhole);
    }
  }

  async stats(): Promise<EngineStats> {
    return await (await this.#worker).stats();
  }

  problem(): PlatformError | undefined {
    return this.#problem;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort();
    const worker = await this.#worker.catch(() => undefined);
    await worker?.stop();
  }

  /** The worker, or the one that is being started in its place. */
  async #ready(signal: AbortSignal): Promise<LoadedWorker> {
    if (this.#isDisposed) throw terminated();
    if (this.#problem !== undefined) throw this.#problem;
    return await unlessAborted(this.#worker, signal);
  }

  get #isDisposed(): boolean {
    return this.#disposal.signal.aborted;
  }

  #watch(worker: LoadedWorker): void {
    worker.exited.then(
      () => {
        if (this.#isDisposed) return;
        this.#worker = this.#restart();
        // Whoever waits for the worker gets its error; when nobody does, `problem` still has it.
        this.#worker.catch(() => {});
      },
      () => {},
    );
  }

  async #restart(): Promise<LoadedWorker> {
    const now = performance.now();
    this.#crashTimes = [...this.#crashTimes.filter((time) => now - time < CRASH_WINDOW_MS), now];
    const pauseMs = RESTART_PAUSES_MS[this.#crashTimes.length - 1];
    try {
      if (pauseMs === undefined) {
        throw new PlatformError(
          "worker_failed",
          `The engine's process ended ${this.#crashTimes.length} times within ten minutes and is not started again. Terminate the model and launch it anew; the server's log says how it ended.`,
        );
      }
      const { signal } = this.#disposal;
      await sleep(pauseMs, undefined, { signal });
      const worker = await LoadedWorker.start(
        this.#options,
        { ...this.#hooks, signal },
        this.#command,
      );
      if (this.#isDisposed) {
        await worker.stop();
        throw terminated();
      }
      this.#model = worker.model;
      this.#watch(worker);
      return worker;
    } catch (error) {
      this.#problem = this.#isDisposed ? terminated() : asPlatformError(error);
      throw this.#problem;
    }
  }
}

function terminated(): PlatformError {
  return new PlatformError("model_not_ready", "The model was terminated.");
}

function asPlatformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError("worker_failed", "The engine's process could not be started again.", {
    cause: error,
  });
}

/** @throws the signal's reason as soon as it aborts; `promise` goes on for others */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        stop = () => reject(signal.reason);
        signal.addEventListener("abort", stop, { once: true });
      }),
    ]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}

/** A worker process that has its model, and the connection to it. */
class LoadedWorker {
  readonly model: EngineModelInfo;
  readonly #child: Child;
  readonly #connections: WorkerConnections;
  readonly #close: () => Promise<void>;
  /** The calls that run; aborted when the process has ended. */
  readonly #calls = new Set<AbortController>();
  readonly #watch: StallWatch;
  #hasEnded = false;
  #isStopping = false;
  #isStuck = false;

  private constructor(parts: {
    readonly stallPatienceMs: number;
    readonly child: Child;
    readonly connections: WorkerConnections;
    readonly model: EngineModelInfo;
    readonly close: () => Promise<void>;
    readonly onUnexpectedEnd: (exit: ChildExit) => void;
  }) {
    this.#child = parts.child;
    this.#connections = parts.connections;
    this.model = parts.model;
    this.#close = parts.close;
    this.#watch = new StallWatch({
      patienceMs: parts.stallPatienceMs,
      isBusy: () => this.#calls.size > 0,
      ask: async (signal) => await this.#connections.client.stats({}, { signal }),
      onStall: () => {
        this.#isStuck = true;
        void this.#child.stop({ graceMs: 0 });
      },
    });
    void this.exited
      .then(async (exit) => {
        this.#hasEnded = true;
        this.#watch[Symbol.dispose]();
        for (const call of this.#calls) call.abort();
        if (!this.#isStopping) {
          await withinPatience(this.#child.logEnded);
          parts.onUnexpectedEnd(exit);
        }
        await this.#close();
      })
      .catch(() => {});
  }

  static async start(
    options: EngineLoadOptions,
    hooks: Hooks,
    command: WorkerCommand,
  ): Promise<LoadedWorker> {
    const socket = await newSocket();
    const lastLines: string[] = [];
    const onUnexpectedEnd = ({ code, signal }: ChildExit): void =>
      hooks.onUnexpectedEnd?.({ exitCode: code, exitSignal: signal, lastLines });
    let child: Child | undefined;
    try {
      child = await Child.start({
        ...(command.program !== undefined && { program: command.program }),
        ...(command.env !== undefined && { env: command.env }),
        args: [...command.args, socket.path],
        readyTimeoutMs: READY_TIMEOUT_MS,
        onLog: (line) => {
          lastLines.push(line);
          if (lastLines.length > NUM_LAST_LINES) lastLines.shift();
          hooks.onLog(line);
        },
        signal: hooks.signal,
      });
      const connections = new WorkerConnections(socket.path, {
        maxRequestBytes: MAX_REQUEST_BYTES,
        maxReplyBytes: MAX_REPLY_BYTES,
      });
      const model = await load(connections.client, options, hooks);
      const close = async (): Promise<void> => {
        connections.close();
        await socket.remove();
      };
      const { stallPatienceMs = STALL_PATIENCE_MS } = command;
      return new LoadedWorker({
        stallPatienceMs,
        child,
        connections,
        model,
        close,
        onUnexpectedEnd,
      });
    } catch (error) {
      const told = fromConnectError(error);
      // When nobody here cancelled it, a cancelled call is a lost one.
      const known = told?.code === "cancelled" && !hooks.signal.aborted ? undefined : told;
      // A broken connection is noticed before the exit that broke it, whose reason is worth a moment.
      const ended = known === undefined && child !== undefined ? await endOf(child) : undefined;
      if (ended !== undefined) {
        if (child !== undefined) await withinPatience(child.logEnded);
        onUnexpectedEnd(ended);
      }
      await child?.stop({ graceMs: 0 });
      await socket.remove();
      throw (
        known ??
        new PlatformError(
          "worker_failed",
          `The engine's process ended while it loaded the model (${ended?.signal ?? `exit code ${ended?.code ?? "unknown"}`}). If the machine is short of memory, free some or launch with a smaller --max-model-len; the server's log has its last words.`,
          { cause: error },
        )
      );
    }
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get pid(): number {
    return this.#child.pid;
  }

  get exited(): Promise<ChildExit> {
    return this.#child.exited;
  }

  async *generate(
    prompt: EnginePrompt,
    options: { readonly sampling: EngineSampling; readonly signal: AbortSignal },
  ): AsyncGenerator<EngineEvent, void> {
    const { sampling, signal } = options;
    // Not `AbortSignal.any`: what it makes of a signal that lives as long as the worker is never freed.
    const call = new AbortController();
    const stop = (): void => call.abort();
    signal.addEventListener("abort", stop, { once: true });
    this.#calls.add(call);
    if (signal.aborted || this.#hasEnded) stop();
    const { client, end } = this.#connections.begin();
    let isWhole = false;
    try {
      const request = toGenerateRequest(prompt, sampling);
      for await (const reply of client.generate(request, { signal: call.signal })) {
        this.#watch.sign();
        yield fromGenerateReply(reply, this.model.vocabSize);
      }
      isWhole = true;
    } catch (error) {
      if (signal.aborted) return;
      const known = fromConnectError(error);
      // When nobody here cancelled it, a cancelled call is a lost one too.
      if (known !== undefined && known.code !== "cancelled") {
        // Some say so and end: what their step left behind is not to be trusted.
        if (known.code === "worker_failed") await endOf(this.#child);
        throw known;
      }
      // Until the exit is heard of, the next request would be sent to a dead process. One that lives and says
      // what is none of the contract is ended: the rest that it says is not to be trusted.
      if ((await endOf(this.#child)) === undefined) await this.#child.stop({ graceMs: 0 });
      this.#hasEnded = true;
      if (this.#isStuck) {
        throw new PlatformError(
          "worker_timed_out",
          "The engine's process gave no sign of life under this answer, and was ended. It is being started again; send the request once more.",
          { cause: error },
        );
      }
      throw new PlatformError(
        "worker_failed",
        "The engine's process ended in the middle of the answer. It is being started again; send the request once more.",
        { cause: error },
      );
    } finally {
      signal.removeEventListener("abort", stop);
      this.#calls.delete(call);
      end(isWhole);
    }
  }

  async stats(): Promise<EngineStats> {
    return fromStatsReply(await this.#connections.client.stats({}));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#child.stop({ graceMs: STOP_GRACE_MS });
    await this.#close();
  }
}

/** How a process ended whose connection broke, which is often noticed before the exit that broke it. */
function endOf({ exited }: Child): Promise<ChildExit | undefined> {
  return withinPatience(exited);
}

/** What is about to come; `undefined` when it does not. */
async function withinPatience<T>(coming: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  const patience = sleep(EXIT_PATIENCE_MS, undefined, { signal: timer.signal }).catch(() => {});
  const result = await Promise.race([coming, patience]);
  timer.abort();
  return result ?? undefined;
}

type Socket = { readonly path: string; readonly remove: () => Promise<void> };

/** A path that only we can reach: a fresh directory of mode 0700, or a pipe nobody can guess. */
async function newSocket(): Promise<Socket> {
  if (process.platform === "win32") {
    return { path: `\\\\.\\pipe\\atalaya-${randomUUID()}`, remove: async () => {} };
  }
  // A socket's path holds about a hundred bytes, so it lies in the short temporary directory.
  const directory = await mkdtemp(join(tmpdir(), "atalaya-"));
  return {
    path: join(directory, "engine"),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

async function load(
  client: Client<typeof EngineService>,
  options: EngineLoadOptions,
  { signal, onProgress }: Hooks,
): Promise<EngineModelInfo> {
  for await (const { reply } of client.load(toLoadRequest(options), { signal })) {
    if (reply.case === "model") return fromModelInfo(reply.value);
    if (reply.case === "progress") {
      const { stage, fraction, totalBytes } = reply.value;
      onProgress({
        stage,
        fraction,
        totalBytes: totalBytes === undefined ? undefined : Number(totalBytes),
      });
    }
  }
  throw new PlatformError("worker_failed", "The engine's process said nothing about its model.");
}
