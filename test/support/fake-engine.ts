/** An engine that says what a test tells it to, one character a token, and remembers what it was asked. */
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../src/base/errors.ts";
import { tokenId } from "../../src/base/ids.ts";
import type { Engine, EngineModelInfo, EngineStats } from "../../src/engines/engine.ts";
import type {
  EngineEvent,
  EnginePrompt,
  EngineSampling,
} from "../../src/generation/engine-prompt.ts";

export type FakeAnswer = {
  /** Plain ASCII. */
  readonly text: string;
  readonly tokenDelayMs?: number;
  /** Fails after this many tokens; 0: before anything is said. */
  readonly failAfter?: number;
  readonly failure?: PlatformError;
};

export type FakeRequest = { readonly prompt: EnginePrompt; readonly sampling: EngineSampling };

export class FakeEngine implements Engine {
  readonly kind = "native";
  readonly model: EngineModelInfo;
  readonly requests: FakeRequest[] = [];
  answer: FakeAnswer;
  numRunning = 0;
  isDisposed = false;
  readonly #vocabulary: ReadonlyMap<string, number>;

  /** @param vocabulary of the checkpoint whose tokenizer stands in front */
  constructor(
    answer: FakeAnswer,
    { model, vocabulary }: { model: EngineModelInfo; vocabulary: ReadonlyMap<string, number> },
  ) {
    this.answer = answer;
    this.model = model;
    this.#vocabulary = vocabulary;
  }

  async *generate(
    prompt: EnginePrompt,
    { sampling, signal }: { readonly sampling: EngineSampling; readonly signal: AbortSignal },
  ): AsyncGenerator<EngineEvent, void> {
    this.requests.push({ prompt, sampling });
    this.numRunning++;
    try {
      this.#failAt(0);
      for (const [imageIndex, { width, height }] of prompt.pictures.entries()) {
        yield {
          type: "image",
          imageIndex,
          width,
          height,
          grid: { rows: 1, columns: 1 },
          resized: { width, height },
          aspectRatioId: 1,
          cached: false,
          encodeMs: 1.25,
        };
      }
      const characters = this.answer.text.split("");
      for (const [index, character] of characters.entries()) {
        if (index === sampling.maxTokens) {
          yield { type: "finish", reason: "length" };
          return;
        }
        await sleep(this.answer.tokenDelayMs ?? 0, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) {
          yield { type: "finish", reason: "cancelled" };
          return;
        }
        yield this.#token(character, sampling);
        this.#failAt(index + 1);
      }
      yield { type: "finish", reason: "stop" };
    } finally {
      this.numRunning--;
    }
  }

  async stats(): Promise<EngineStats> {
    return {
      numRunning: this.numRunning,
      numWaiting: 0,
      kvBlocksUsed: 0,
      kvBlocksTotal: 0,
      cachedPictures: 0,
      residentBytes: 0,
    };
  }

  problem(): undefined {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
  }

  #token(character: string, { logprobs }: EngineSampling): EngineEvent {
    const id = this.#vocabulary.get(character === " " ? "Ġ" : character);
    if (id === undefined) throw new Error(`the tiny vocabulary has no token ${character}`);
    const chosen = { tokenId: tokenId(id), logprob: -0.25 };
    return {
      type: "token",
      tokenId: chosen.tokenId,
      logprob: logprobs === undefined ? undefined : chosen.logprob,
      topLogprobs: logprobs === undefined || logprobs === 0 ? [] : [chosen],
    };
  }

  #failAt(numTokens: number): void {
    if (this.answer.failAfter !== numTokens) return;
    throw this.answer.failure ?? new PlatformError("worker_failed", "The engine's process ended.");
  }
}
