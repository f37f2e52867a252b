/** An engine that says what a test tells it to, one character a token, and remembers what it was asked. */
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../src/base/errors.ts";
import { type TokenId, tokenId } from "../../src/base/ids.ts";
import type { Engine, EngineModelInfo, EngineStats } from "../../src/engines/engine.ts";
import type {
  EngineEvent,
  EnginePrompt,
  EngineSampling,
} from "../../src/generation/engine-prompt.ts";

/** How a vocabulary of byte-level BPE spells white space. */
const byteLevel: Readonly<Record<string, string>> = { " ": "Ġ", "\n": "Ċ" };

export type FakeAnswer = {
  /** Plain ASCII. */
  readonly text: string;
  readonly tokenDelayMs?: number;
  /** What else each token might have been, by its place: texts of one character, with log-probabilities. */
  readonly alternatives?: readonly (readonly (readonly [text: string, logprob: number])[])[];
  /** So many of the prompt's first tokens are said to have been in the KV cache. */
  readonly reused?: number;
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
  /** Taken first, one a request, in place of `answer`. */
  readonly nextAnswers: FakeAnswer[] = [];
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
    const next = this.nextAnswers.shift();
    if (next !== undefined) this.answer = next;
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
      if (this.answer.reused !== undefined) {
        yield { type: "reused", numTokens: this.answer.reused };
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
        yield this.#token(character, sampling, this.answer.alternatives?.[index] ?? []);
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

  #token(
    character: string,
    { logprobs }: EngineSampling,
    alternatives: readonly (readonly [text: string, logprob: number])[],
  ): EngineEvent {
    const chosen = { tokenId: this.#idOf(character), logprob: -0.25 };
    const others = alternatives.map(([text, logprob]) => ({ tokenId: this.#idOf(text), logprob }));
    return {
      type: "token",
      tokenId: chosen.tokenId,
      logprob: logprobs === undefined ? undefined : chosen.logprob,
      topLogprobs: logprobs === undefined || logprobs === 0 ? [] : [chosen, ...others],
    };
  }

  #idOf(character: string): TokenId {
    const id = this.#vocabulary.get(byteLevel[character] ?? character);
    if (id === undefined) throw new Error(`the tiny vocabulary has no token ${character}`);
    return tokenId(id);
  }

  #failAt(numTokens: number): void {
    if (this.answer.failAfter !== numTokens) return;
    throw this.answer.failure ?? new PlatformError("worker_failed", "The engine's process ended.");
  }
}
