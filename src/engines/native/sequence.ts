/** One request while it runs: its tokens, what the cache holds of them, its pictures, its listener. */
import type { BlockId, TokenId } from "../../base/ids.ts";
import type {
  EngineEvent,
  EnginePrompt,
  EngineSampling,
  Picture,
} from "../../generation/engine-prompt.ts";
import type { FinishReason } from "../../generation/event.ts";
import { AsyncQueue } from "./async-queue.ts";
import { BlockKeys } from "./block-keys.ts";
import type { GrammarState } from "./grammar-masks.ts";
import { Random } from "./random.ts";
import { logProbabilities } from "./sampler.ts";
import type { HeldStates } from "./vision-cache.ts";

export class Sequence {
  readonly arrival: number;
  readonly prompt: EnginePrompt;
  readonly sampling: EngineSampling;
  readonly random: Random;
  readonly grammar: GrammarState | undefined;
  readonly events = new AsyncQueue<EngineEvent>();
  readonly imagePositions: readonly number[];
  readonly generated: TokenId[] = [];
  /** What its full blocks are known by. */
  readonly blockKeys: BlockKeys;
  /** The pictures encoded so far, in the prompt's order. */
  readonly pictures: HeldStates[] = [];
  blockIds: BlockId[] = [];
  /** Tokens whose keys and values are in the cache. */
  numCached = 0;
  /** Of the prompt, how many were found there when it first ran. */
  numReused: number | undefined;
  /** Its next picture is being fetched or encoded. */
  isAwaitingPicture = false;
  /** Of the rows from here on the logits tell of the prompt's next token. */
  firstReportedRow: number;
  readonly #cancelling = new AbortController();

  constructor(parts: {
    readonly arrival: number;
    readonly prompt: EnginePrompt;
    readonly sampling: EngineSampling;
    readonly imageTokenId: TokenId;
    readonly seed: number;
    readonly grammar?: GrammarState | undefined;
    /** Cells in one KV block. */
    readonly blockSize: number;
  }) {
    this.arrival = parts.arrival;
    this.prompt = parts.prompt;
    this.sampling = parts.sampling;
    this.grammar = parts.grammar;
    const { promptLogprobs } = parts.sampling;
    this.firstReportedRow =
      promptLogprobs === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(promptLogprobs.start, 1) - 1;
    this.random = new Random(parts.seed);
    this.imagePositions = parts.prompt.tokenIds.flatMap((id, position) =>
      id === parts.imageTokenId ? [position] : [],
    );
    this.blockKeys = new BlockKeys({
      blockSize: parts.blockSize,
      prompt: parts.prompt,
      imagePositions: this.imagePositions,
      tokensFrom: (start, count) => this.tokensFrom(start, count),
    });
  }

  /** Aborts when nobody wants the answer any more. */
  get cancelled(): AbortSignal {
    return this.#cancelling.signal;
  }

  get isCancelled(): boolean {
    return this.cancelled.aborted;
  }

  cancel(): void {
    this.#cancelling.abort();
  }

  get numTokens(): number {
    return this.prompt.tokenIds.length + this.generated.length;
  }

  get hasAllPictures(): boolean {
    return this.pictures.length === this.prompt.pictures.length;
  }

  /** The first that it does not have yet. */
  get nextPicture(): Picture | undefined {
    return this.prompt.pictures[this.pictures.length];
  }

  /** Tokens at positions `[start, start + count)`, of prompt and answer alike. */
  tokensFrom(start: number, count: number): TokenId[] {
    const { tokenIds } = this.prompt;
    const end = start + count;
    return [
      ...tokenIds.slice(start, end),
      ...this.generated.slice(
        Math.max(0, start - tokenIds.length),
        Math.max(0, end - tokenIds.length),
      ),
    ];
  }

  /** Why to stop after the newest token, or `undefined` to go on. */
  finishReason(contextLength: number): FinishReason | undefined {
    const last = this.generated.at(-1);
    if (last !== undefined && this.sampling.stopTokenIds.includes(last)) return "stop";
    const isFull = this.numTokens >= contextLength;
    return this.generated.length >= this.sampling.maxTokens || isFull ? "length" : undefined;
  }

  /**
   * Report the prompt's tokens that follow these rows.
   *
   * @param first the row's position in the sequence
   * @param rowOf its logits, `[vocabSize]`, counted from `first`
   */
  reportPrompt(first: number, numRows: number, rowOf: (row: number) => Float32Array): void {
    const { tokenIds } = this.prompt;
    for (let row = Math.max(first, this.firstReportedRow); row < first + numRows; row++) {
      const next = tokenIds[row + 1];
      if (next === undefined) break;
      const logits = rowOf(row - first);
      const count = this.sampling.promptLogprobs?.numAlternatives ?? 0;
      const { logprob, top } = logProbabilities(logits, next, count);
      // An image token has no row in the head.
      const isSayable = next < logits.length;
      this.events.push({
        type: "prompt-token",
        tokenId: next,
        logprob: isSayable ? logprob : undefined,
        topLogprobs: top,
      });
      this.firstReportedRow = row + 1;
    }
    if (this.firstReportedRow >= tokenIds.length - 1) {
      this.firstReportedRow = Number.POSITIVE_INFINITY;
    }
  }

  releasePictures(): void {
    for (const picture of this.pictures.splice(0)) picture[Symbol.dispose]();
  }
}
