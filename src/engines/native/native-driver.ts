/**
 * The platform's side of the native engine: owns its worker process and starts it again when it dies.
 *
 * A worker that ends takes its running answers with it: their streams throw `worker_failed` at once.
 * The next request is served by a fresh worker, unless workers keep dying.
 */

import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine as EngineService } from "@atalaya/protocol/engine";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { PlatformError } from "../../base/errors.ts";
import { processArguments, workerEntry } from "../../base/worker-entry.ts";
import type { EngineEvent, EnginePrompt, EngineSampling } from "../../generation/engine-prompt.ts";
import { Child } from "../../process/child.ts";
import type {
  Engine,
  EngineLoader,
  EngineLoadOptions,
  EngineModelInfo,
  EngineStats,
} from "../engine.ts";
import { fromGenerateReply, fromModelInfo, toGenerateRequest, toLoadRequest } from "./wire.ts";
import { fromConnectError } from "./wire-error.ts";

type Hooks = Parameters<EngineLoader>[1];

/**
 * Of what passes through a worker little outlives its request. With V8's own choice of 16 MB the
 * demo model's worker holds 30 MB more and is no faster.
 */
const SMALL_YOUNG_HEAP = "--max-semi-space-size=4";
const READY_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 2_000;
const EXIT_PATIENCE_MS = 500;
/** Pauses before the first, second, … restart within the crash window; then no more. */
const RESTART_PAUSES_MS = [0, 1_000, 2_000, 4_000] as const;
const CRASH_WINDOW_MS = 10 * 60_000;
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

/** Start the native engine. Disposing the result ends its process. */
export const loadNativeEngine: EngineLoader = (options, hooks) =>
  NativeDriver.start(options, hooks, [
    SMALL_YOUNG_HEAP,
    ...processArguments(workerEntry(import.meta.url, "./worker-main")),
  ]);

export class NativeDriver implements Engine {
  readonly kind = "native";
  readonly #options: EngineLoadOptions;
  readonly #hooks: Hooks;
  readonly #workerArgs: readonly string[];
  #worker: Promise<LoadedWorker>;
  #model: EngineModelInfo;
  #crashTimes: number[] = [];
  #problem: PlatformError | undefined;
  #isDisposed = false;

  private constructor(parts: {
    readonly options: EngineLoadOptions;
    readonly hooks: Hooks;
    readonly workerArgs: readonly string[];
    readonly worker: LoadedWorker;
  }) {
    this.#options = parts.options;
    this.#hooks = parts.hooks;
    this.#workerArgs = parts.workerArgs;
    this.#model = parts.worker.model;
    this.#worker = Promise.resolve(parts.worker);
    this.#watch(parts.worker);
  }

  /** @param workerArgs what `node` is started with, before the socket's path */
  static async start(
    options: EngineLoadOptions,
    hooks: Hooks,
    workerArgs: readonly string[],
  ): Promise<NativeDriver> {
    const worker = await LoadedWorker.start(options, hooks, workerArgs);
    return new NativeDriver({ options, hooks, workerArgs, worker });
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
    const worker = await this.#ready(options.signal);
    yield* worker.generate(prompt, options);
  }

  async stats(): Promise<EngineStats> {
    return await (await this.#worker).stats();
  }

  problem(): PlatformError | undefined {
    return this.#problem;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    const worker = await this.#worker.catch(() => undefined);
    await worker?.stop();
  }

  /** The worker, or the one that is being started in its place. */
  async #ready(signal: AbortSignal): Promise<LoadedWorker> {
    if (this.#isDisposed) throw new PlatformError("model_not_ready", "The model was terminated.");
    if (this.#problem !== undefined) throw this.#problem;
    signal.throwIfAborted();
    return await this.#worker;
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
          `The engine's process ended ${this.#crashTimes.length} times within ten minutes and is not started again. Terminate the model and launch it anew; its log says why it ended.`,
        );
      }
      await sleep(pauseMs);
      const worker = await LoadedWorker.start(
        this.#options,
        { ...this.#hooks, signal: new AbortController().signal },
        this.#workerArgs,
      );
      if (this.#isDisposed) await worker.stop();
      this.#model = worker.model;
      this.#watch(worker);
      return worker;
    } catch (error) {
      this.#problem = fromConnectError(error);
      throw this.#problem;
    }
  }
}

/** A worker process that has its model, and the connection to it. */
class LoadedWorker {
  readonly model: EngineModelInfo;
  readonly #child: Child;
  readonly #client: Client<typeof EngineService>;
  readonly #close: () => Promise<void>;
  /** Aborts when the process has ended. */
  readonly #gone = new AbortController();

  private constructor(parts: {
    readonly child: Child;
    readonly client: Client<typeof EngineService>;
    readonly model: EngineModelInfo;
    readonly close: () => Promise<void>;
  }) {
    this.#child = parts.child;
    this.#client = parts.client;
    this.model = parts.model;
    this.#close = parts.close;
    void this.exited
      .then(async () => {
        this.#gone.abort();
        await this.#close();
      })
      .catch(() => {});
  }

  static async start(
    options: EngineLoadOptions,
    hooks: Hooks,
    workerArgs: readonly string[],
  ): Promise<LoadedWorker> {
    const socket = await newSocket();
    let child: Child | undefined;
    try {
      child = await Child.start({
        args: [...workerArgs, socket.path],
        readyTimeoutMs: READY_TIMEOUT_MS,
        onLog: hooks.onLog,
        signal: hooks.signal,
      });
      const { client, close } = connectTo(socket);
      const model = await load(client, options, hooks);
      return new LoadedWorker({ child, client, model, close });
    } catch (error) {
      await child?.stop({ graceMs: 0 });
      await socket.remove();
      throw fromConnectError(error);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  get exited(): Promise<unknown> {
    return this.#child.exited;
  }

  async *generate(
    prompt: EnginePrompt,
    options: { readonly sampling: EngineSampling; readonly signal: AbortSignal },
  ): AsyncGenerator<EngineEvent, void> {
    const { sampling, signal } = options;
    const replies = this.#client.generate(toGenerateRequest(prompt, sampling), {
      signal: AbortSignal.any([signal, this.#gone.signal]),
    });
    try {
      for await (const reply of replies) {
        yield fromGenerateReply(reply, this.model.vocabSize);
      }
    } catch (error) {
      if (signal.aborted) return;
      const known = fromConnectError(error);
      if (known.code === "worker_failed") await this.#exitHeard();
      // Nobody here cancelled it: the connection broke, and the exit will be heard of in a moment.
      throw known.code === "cancelled" ? fromConnectError(undefined) : known;
    }
  }

  /**
   * A broken connection is often noticed before the exit that broke it. Until that is known, the
   * next request would be sent to a dead process.
   */
  async #exitHeard(): Promise<void> {
    const timer = new AbortController();
    const patience = sleep(EXIT_PATIENCE_MS, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([this.exited, patience]);
    timer.abort();
  }

  async stats(): Promise<EngineStats> {
    const { residentBytes, ...stats } = await this.#client.stats({});
    return { ...stats, residentBytes: Number(residentBytes) };
  }

  async stop(): Promise<void> {
    await this.#child.stop({ graceMs: STOP_GRACE_MS });
    await this.#close();
  }
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

function connectTo(socket: Socket): {
  client: Client<typeof EngineService>;
  close: () => Promise<void>;
} {
  const baseUrl = "http://engine";
  const sessionManager = new Http2SessionManager(
    baseUrl,
    {},
    {
      createConnection: () => connect(socket.path),
      settings: { initialWindowSize: 4 * 1024 * 1024 },
    },
  );
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
  });
  return {
    client: createClient(EngineService, transport),
    close: async () => {
      sessionManager.abort();
      await socket.remove();
    },
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
      onProgress({ stage: reply.value.stage, fraction: reply.value.fraction });
    }
  }
  throw new PlatformError("worker_failed", "The engine's process said nothing about its model.");
}
