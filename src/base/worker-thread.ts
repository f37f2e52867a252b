/**
 * A worker thread that answers one question at a time, within limits, and is replaced when it fails.
 *
 * For pure JavaScript that may take seconds or eat memory on hostile input: it runs off the event
 * loop, its heap is bounded, and at the time limit the thread is ended. The next question starts a
 * new one. `serve-thread.ts` is the other side.
 */
import { Worker } from "node:worker_threads";
import { type ErrorCode, PlatformError } from "./errors.ts";
import { threadScript, type WorkerEntry } from "./worker-entry.ts";

/** What a thread says: once `ready` or `refused`, then per question an `answer` or `refused`. */
export type ThreadMessage =
  | { readonly type: "ready"; readonly value: unknown }
  | { readonly type: "answer"; readonly value: unknown }
  | { readonly type: "refused"; readonly code: ErrorCode; readonly message: string };

export type ThreadFailureReason = "timed-out" | "out-of-memory" | "crashed";

/** The thread had to be given up. Whoever asked knows the sentence for it. */
export class ThreadFailure extends Error {
  override readonly name = "ThreadFailure";
  readonly reason: ThreadFailureReason;

  constructor(reason: ThreadFailureReason, options: { readonly cause?: unknown } = {}) {
    super(`the worker thread ${reason}`, options);
    this.reason = reason;
  }
}

export type WorkerThreadOptions = {
  readonly entry: WorkerEntry;
  /** Given to the thread when it starts; structured-cloned. */
  readonly data: unknown;
  readonly heapLimitMb: number;
  readonly startTimeoutMs: number;
  /** Questions that may wait, at most. */
  readonly maxWaiting: number;
};

/** `Value` and `Ready` are what the thread's own module says it sends; both are this program's code. */
export class WorkerThread<Question, Value, Ready> implements AsyncDisposable {
  readonly #options: WorkerThreadOptions;
  #current: RunningThread | undefined;
  /** Settles when every question so far has been dealt with. */
  #tail: Promise<unknown> = Promise.resolve();
  #numWaiting = 0;
  #isDisposed = false;

  constructor(options: WorkerThreadOptions) {
    this.#options = options;
  }

  /**
   * Start the thread if it is not running.
   *
   * @returns what it says when it is ready
   * @throws PlatformError what the thread refuses its data with
   * @throws ThreadFailure
   */
  async start(): Promise<Ready> {
    return (await this.#thread().ready) as Ready;
  }

  /**
   * Ask, after everybody who asked before.
   *
   * @param timeoutMs from the moment that the thread begins with this question
   * @throws PlatformError what the thread refuses with; `cancelled`; `queue_full`
   * @throws ThreadFailure
   */
  async ask(
    question: Question,
    {
      timeoutMs,
      signal,
    }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Value> {
    if (this.#numWaiting >= this.#options.maxWaiting) {
      throw new PlatformError(
        "queue_full",
        `${this.#options.maxWaiting} requests are waiting to be read. Try again in a moment.`,
      );
    }
    this.#numWaiting += 1;
    const answer = this.#tail.then(async () => {
      this.#numWaiting -= 1;
      if (signal?.aborted === true) throw cancelled();
      const thread = this.#thread();
      await thread.ready;
      return (await thread.ask(question, timeoutMs)) as Value;
    });
    // A question whose caller has left is still finished before the next is begun.
    this.#tail = answer.catch(() => undefined);
    return await untilAborted(answer, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#current?.end();
  }

  #thread(): RunningThread {
    if (this.#isDisposed) throw new PlatformError("model_not_ready", "The model is being freed.");
    if (this.#current?.isAlive !== true) this.#current = new RunningThread(this.#options);
    return this.#current;
  }
}

/** One thread, from start to end. */
class RunningThread {
  readonly ready: Promise<unknown>;
  isAlive = true;
  readonly #worker: Worker;
  #settle: { resolve(value: unknown): void; reject(error: Error): void } | undefined;

  constructor({ entry, data, heapLimitMb, startTimeoutMs }: WorkerThreadOptions) {
    this.#worker = new Worker(threadScript(entry), {
      eval: true,
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: heapLimitMb },
    });
    this.#worker.on("message", (message: ThreadMessage) => this.#receive(message));
    this.#worker.on("error", (error) => this.#fail(failureOf(error)));
    this.#worker.on("exit", () => this.#fail(new ThreadFailure("crashed")));
    this.ready = this.#expect(startTimeoutMs).catch((error: unknown) => {
      // A thread that refused its data answers nothing.
      void this.end();
      throw error;
    });
    // Whoever starts a thread and leaves must not turn its failure into an unhandled rejection.
    this.ready.catch(() => undefined);
  }

  async ask(question: unknown, timeoutMs: number): Promise<unknown> {
    const answer = this.#expect(timeoutMs);
    this.#worker.postMessage(question);
    return await answer;
  }

  async end(): Promise<void> {
    this.isAlive = false;
    await this.#worker.terminate();
  }

  /** The thread's next message. Only while one is awaited does the thread keep the program running. */
  async #expect(timeoutMs: number): Promise<unknown> {
    this.#worker.ref();
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#settle = { resolve, reject };
        timer = setTimeout(() => {
          this.#fail(new ThreadFailure("timed-out"));
          void this.end();
        }, timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      this.#settle = undefined;
      this.#worker.unref();
    }
  }

  #receive(message: ThreadMessage): void {
    if (message.type === "refused") {
      this.#settle?.reject(new PlatformError(message.code, message.message));
    } else {
      this.#settle?.resolve(message.value);
    }
  }

  #fail(failure: ThreadFailure): void {
    this.isAlive = false;
    this.#settle?.reject(failure);
  }
}

function failureOf(error: unknown): ThreadFailure {
  const isMemory =
    error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
  return new ThreadFailure(isMemory ? "out-of-memory" : "crashed", { cause: error });
}

async function untilAborted<Value>(
  work: Promise<Value>,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (signal === undefined) return await work;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(cancelled());
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}

function cancelled(): PlatformError {
  return new PlatformError("cancelled", "The request was cancelled before it was read.");
}
