/**
 * Holds answers to grammars. What may come next is worked out in a thread while the model computes, so it
 * is there when the logits are.
 */
import { createHash } from "node:crypto";
import { PlatformError } from "../../base/errors.ts";
import type { TokenId } from "../../base/ids.ts";
import { workerEntry } from "../../base/worker-entry.ts";
import { ThreadFailure, WorkerThread } from "../../base/worker-thread.ts";
import type { GrammarAnswer, GrammarData, GrammarQuestion } from "./grammar-thread.ts";

/** One answer under its grammar. */
export interface GrammarState extends Disposable {
  /**
   * Tokens that may come next, a bit each; `undefined`: all, because the answer is complete.
   *
   * @throws PlatformError `worker_failed`
   */
  readonly allowed: () => Promise<Int32Array | undefined>;
  /** The answer goes on with this token. */
  readonly accept: (id: TokenId) => void;
}

export type GrammarLimits = {
  /** To try out a grammar that is new. */
  readonly tryTimeoutMs: number;
};

const defaultLimits: GrammarLimits = { tryTimeoutMs: 10_000 };

/** To work out the next tokens, where nothing is wrong: far less than a millisecond. */
const answerTimeoutMs = 30_000;
/** Reading the vocabulary and starting the library. */
const startTimeoutMs = 60_000;
const heapLimitMb = 1_024;
const maxWaiting = 512;
/** Grammars that are known to be usable, by their hashes. */
const maxKnown = 4_096;

type Thread = WorkerThread<GrammarQuestion, GrammarAnswer, undefined>;

export class GrammarMasks implements AsyncDisposable {
  readonly #limits: GrammarLimits;
  readonly #trial: Thread;
  readonly #thread: Thread;
  readonly #known = new Set<string>();
  #numOpened = 0;

  constructor(data: GrammarData, limits: GrammarLimits = defaultLimits) {
    this.#limits = limits;
    const start = (): Thread =>
      new WorkerThread({
        entry: workerEntry(import.meta.url, "./grammar-thread"),
        data,
        heapLimitMb,
        startTimeoutMs,
        maxWaiting,
      });
    this.#trial = start();
    this.#thread = start();
  }

  /**
   * Begin an answer.
   *
   * @throws PlatformError `invalid_request` when the grammar cannot be used, or takes more time or memory
   *   than it may; `cancelled`, `queue_full`
   */
  async open(
    grammar: string,
    {
      stopTokenIds,
      signal,
    }: { readonly stopTokenIds: readonly TokenId[]; readonly signal: AbortSignal },
  ): Promise<GrammarState> {
    await this.#try(grammar, signal);
    const id = this.#numOpened++;
    const accepted: TokenId[] = [];
    const ask = (question: GrammarQuestion): Promise<GrammarAnswer> =>
      this.#thread.ask(question, { timeoutMs: answerTimeoutMs });
    /** From the beginning, in a thread that may be new. */
    const reopen = (): Promise<GrammarAnswer> =>
      ask({ type: "open", id, grammar, stopTokenIds, accepted: [...accepted] });
    let next = reopen();
    next.catch(() => undefined);
    await next.catch((error: unknown) => {
      throw unusable(error);
    });
    return {
      allowed: async () => {
        const answer = await next.catch(async (error: unknown) => {
          if (error instanceof ThreadFailure) return "unknown" as const;
          throw error;
        });
        const mask = answer === "unknown" ? await reopen() : answer;
        if (mask === "unknown") throw new Error("an answer was lost that had just been begun");
        return mask;
      },
      accept: (tokenId) => {
        accepted.push(tokenId);
        next = ask({ type: "accept", id, tokenId });
        next.catch(() => undefined);
      },
      [Symbol.dispose]: () => {
        ask({ type: "close", id }).catch(() => undefined);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#trial[Symbol.asyncDispose](), this.#thread[Symbol.asyncDispose]()]);
  }

  async #try(grammar: string, signal: AbortSignal): Promise<void> {
    const hash = createHash("sha256").update(grammar).digest("base64");
    if (this.#known.has(hash)) return;
    try {
      await this.#trial.start();
      const { tryTimeoutMs: timeoutMs } = this.#limits;
      await this.#trial.ask({ type: "try", grammar }, { timeoutMs, signal });
    } catch (error) {
      throw unusable(error);
    }
    this.#known.add(hash);
    for (const oldest of this.#known) {
      if (this.#known.size <= maxKnown) break;
      this.#known.delete(oldest);
    }
  }
}

function unusable(error: unknown): unknown {
  if (!(error instanceof ThreadFailure)) return error;
  if (error.reason === "crashed") {
    return new PlatformError(
      "worker_failed",
      "The engine failed while it prepared the form of the answer. Try again, or ask without it.",
      { cause: error },
    );
  }
  return new PlatformError(
    "invalid_request",
    "The form of the answer takes more time or memory to prepare than it may. Ask for less: shorter strings of a bounded length, fewer repetitions, a smaller grammar.",
    { cause: error },
  );
}
