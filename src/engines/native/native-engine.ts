/**
 * Requests in, events out: the loop that feeds a model runner.
 *
 * Each turn of the loop encodes a part of one new picture, then runs one forward pass over what
 * `planStep` chose, then samples. A sequence that finds no free block makes the youngest give its
 * blocks back; that one is computed again later from its own tokens, and loses nothing.
 */
import { totalmem } from "node:os";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../base/errors.ts";
import type {
  EngineEvent,
  EnginePrompt,
  EngineSampling,
  FinishReason,
  ImageReport,
  Picture,
} from "../../generation/engine-prompt.ts";
import type { EngineModelInfo, EngineStats } from "../engine.ts";
import { MAX_BATCHED_TOKENS, pictureBudgetBytes } from "../memory.ts";
import { BlockPool } from "./block-pool.ts";
import { EncodingTurns } from "./encoding-turns.ts";
import type { GrammarMasks, GrammarState } from "./grammar-masks.ts";
import type { ModelRunner, StepSequence } from "./model-runner.ts";
import type { PictureKeeper } from "./picture-keeper.ts";
import { planStep, type ScheduledSequence } from "./plan-step.ts";
import { PromptPace } from "./prompt-pace.ts";
import { chooseToken, logProbabilities } from "./sampler.ts";
import { Sequence } from "./sequence.ts";
import { type HeldStates, type NewStates, VisionCache } from "./vision-cache.ts";

export type NativeEngineOptions = {
  readonly maxNumSeqs?: number | undefined;
  /** Tokens of one forward pass, at most. */
  readonly maxBatchedTokens?: number;
  readonly maxWaiting?: number;
  readonly pictureBudgetBytes?: number | undefined;
  /** Keeps what the tower makes of pictures beyond this process; without it they are encoded anew. */
  readonly pictureKeeper?: PictureKeeper | undefined;
  /** Holds answers to grammars; without it a request with one is refused. */
  readonly grammars?: GrammarMasks | undefined;
};

/** Answers at the same time. */
export const DEFAULT_MAX_NUM_SEQS = 16;
const DEFAULT_MAX_WAITING = 256;

export class NativeEngine implements AsyncDisposable {
  readonly #runner: ModelRunner;
  readonly #maxNumSeqs: number;
  readonly #maxBatchedTokens: number;
  readonly #maxWaiting: number;
  readonly #blocks: BlockPool;
  readonly #pictures: VisionCache;
  readonly #encodings = new EncodingTurns();
  readonly #pace = new PromptPace();
  readonly #grammars: GrammarMasks | undefined;
  readonly #keeper: PictureKeeper | undefined;
  #waiting: Sequence[] = [];
  #running: Sequence[] = [];
  #arrivals = 0;
  #numPromptTokens = 0;
  #numReusedTokens = 0;
  #loop: Promise<void> | undefined;
  #isClosed = false;

  constructor(runner: ModelRunner, options: NativeEngineOptions = {}) {
    this.#runner = runner;
    this.#maxNumSeqs = options.maxNumSeqs ?? DEFAULT_MAX_NUM_SEQS;
    this.#maxBatchedTokens = options.maxBatchedTokens ?? MAX_BATCHED_TOKENS;
    this.#maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING;
    this.#blocks = new BlockPool(runner.numBlocks);
    this.#pictures = new VisionCache(
      (picture, cancelled) => this.#encode(picture, cancelled),
      options.pictureBudgetBytes ?? runner.pictureRoomBytes ?? pictureBudgetBytes(totalmem()),
      runner.maxPictureBytes,
    );
    this.#grammars = options.grammars;
    this.#keeper = options.pictureKeeper;
  }

  get model(): EngineModelInfo {
    return this.#runner.model;
  }

  stats(): EngineStats {
    const memory = this.#runner.memory?.();
    return {
      numRunning: this.#running.length,
      numWaiting: this.#waiting.length,
      kvBlocksUsed: this.#blocks.numBlocks - this.#blocks.numFree,
      kvBlocksTotal: this.#blocks.numBlocks,
      promptTokens: this.#numPromptTokens,
      reusedTokens: this.#numReusedTokens,
      cachedPictures: this.#pictures.numPictures,
      residentBytes: process.memoryUsage.rss(),
      weightBytes: memory?.weightBytes,
      kvCacheBytes: memory?.cacheBytes,
      pictureBytes: this.#pictures.usedBytes,
    };
  }

  /**
   * Answer a prompt. Leaving the loop, or aborting `signal`, frees its memory before the next step.
   *
   * @throws PlatformError `invalid_request`, `context_length_exceeded`, `queue_full`, `worker_failed`
   */
  async *generate(
    prompt: EnginePrompt,
    options: { readonly sampling: EngineSampling; readonly signal: AbortSignal },
  ): AsyncGenerator<EngineEvent, void> {
    this.#checkPrompt(prompt);
    const { sampling, signal } = options;
    using grammar =
      sampling.grammar === undefined ? undefined : await this.#openGrammar(sampling, signal);
    const sequence = new Sequence({
      arrival: this.#arrivals++,
      grammar,
      prompt,
      sampling,
      imageTokenId: this.model.imageTokenId,
      seed: sampling.seed ?? Math.floor(Math.random() * 2 ** 32),
      blockSize: this.#runner.blockSize,
    });
    const cancel = (): void => {
      sequence.cancel();
      this.#wake();
    };
    if (signal.aborted) return;
    signal.addEventListener("abort", cancel, { once: true });
    this.#waiting.push(sequence);
    this.#wake();
    try {
      yield* sequence.events;
    } finally {
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  }

  /** Before anything is computed, so that a form that cannot be kept is refused at once. */
  async #openGrammar(
    { grammar, stopTokenIds }: EngineSampling,
    signal: AbortSignal,
  ): Promise<GrammarState | undefined> {
    if (grammar === undefined) return undefined;
    if (this.#grammars === undefined) {
      throw new PlatformError(
        "unsupported_parameter",
        "This engine cannot hold answers to a form. Ask without one.",
      );
    }
    return await this.#grammars.open(grammar, { stopTokenIds, signal });
  }

  /** Put a picture's states into the cache. */
  async encodeImage(picture: Picture): Promise<Omit<ImageReport, "imageIndex">> {
    using held = await this.#pictures.acquire(picture);
    return reportOf(picture, held);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const sequence of [...this.#waiting, ...this.#running]) sequence.cancel();
    await this.#loop;
    this.#pictures[Symbol.dispose]();
    await this.#grammars?.[Symbol.asyncDispose]();
    await this.#keeper?.settle();
    await this.#runner[Symbol.asyncDispose]();
  }

  #checkPrompt({ tokenIds, pictures }: EnginePrompt): void {
    const { contextLength, numEmbeddings, imageTokenId } = this.model;
    const invalid = (message: string): PlatformError =>
      new PlatformError("invalid_request", message);
    if (this.#isClosed) throw new PlatformError("model_not_ready", "The model is being freed.");
    if (tokenIds.length === 0) throw invalid("The prompt is empty. Send at least one token.");
    if (tokenIds.length >= contextLength) {
      throw new PlatformError(
        "context_length_exceeded",
        `The prompt has ${tokenIds.length} tokens; this model takes ${contextLength - 1} and one for the answer. Shorten it, or launch with a larger --max-model-len.`,
      );
    }
    const foreign = tokenIds.find((id) => !Number.isInteger(id) || id < 0 || id >= numEmbeddings);
    if (foreign !== undefined) {
      throw invalid(`The token id ${foreign} is not in the vocabulary of ${numEmbeddings}.`);
    }
    const numMarkers = tokenIds.filter((id) => id === imageTokenId).length;
    if (numMarkers !== pictures.length) {
      throw invalid(
        `The prompt has ${numMarkers} image tokens and ${pictures.length} pictures; each picture needs one.`,
      );
    }
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new PlatformError(
        "queue_full",
        `${this.#waiting.length} requests are waiting already. Try again in a moment.`,
      );
    }
  }

  /** Start the loop unless it runs. */
  #wake(): void {
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
      if (this.#hasWork) this.#wake();
    });
  }

  get #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#running.length > 0 || !this.#encodings.isEmpty;
  }

  async #run(): Promise<void> {
    while (this.#hasWork) {
      this.#dropCancelled();
      this.#admit();
      this.#fetchPictures();
      await this.#encodings.grant();
      const hasRun = await this.#step();
      // Let cancellations and new requests in, also when the runner never had to wait. Until a picture comes from the
      // disk there may be nothing to do.
      if (hasRun || !this.#encodings.isEmpty) await setImmediate();
      else await sleep(1);
    }
  }

  #dropCancelled(): void {
    const isCancelled = (sequence: Sequence): boolean => sequence.isCancelled;
    for (const sequence of this.#running.filter(isCancelled)) this.#release(sequence);
    for (const sequence of this.#waiting.filter(isCancelled)) {
      // It may have run before, and it keeps its pictures while it waits to run again.
      sequence.releasePictures();
      sequence.events.end();
    }
    this.#waiting = this.#waiting.filter((sequence) => !sequence.isCancelled);
  }

  /** Oldest first, while there is a place and a block to begin with. What the cache has of its tokens is shared. */
  #admit(): void {
    while (this.#running.length < this.#maxNumSeqs) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const found = this.#blocks.match(next.blockKeys.first(this.#numShareable(next)));
      const numInUse = found.length - this.#blocks.countUnused(found);
      const wanted = this.#blocksFor(next.numTokens) - numInUse;
      if (this.#running.length > 0 && this.#blocks.numFree < wanted) return;
      this.#waiting.shift();
      this.#running.push(next);
      this.#blocks.share(found);
      next.blockIds = found;
      next.numCached = found.length * this.#runner.blockSize;
      if (next.numReused === undefined) {
        next.numReused = next.numCached;
        if (next.numReused > 0) next.events.push({ type: "reused", numTokens: next.numReused });
        this.#numPromptTokens += next.numTokens;
        this.#numReusedTokens += next.numReused;
      }
    }
  }

  /** Full blocks of which nothing needs to be computed: of the last token the logits are wanted. */
  #numShareable({ numTokens, sampling, generated }: Sequence): number {
    const isReported = sampling.promptLogprobs !== undefined && generated.length === 0;
    const numSpared = isReported ? (sampling.promptLogprobs?.start ?? 1) - 1 : numTokens - 1;
    return Math.floor(Math.min(numSpared, numTokens - 1) / this.#runner.blockSize);
  }

  #blocksFor(numTokens: number): number {
    return Math.ceil(numTokens / this.#runner.blockSize);
  }

  /**
   * Ask for the next picture of the oldest sequence that lacks one; it is encoded while running answers go on. Those
   * whose next picture is there, or on its way, need not wait for it.
   *
   * While there is no room for it, it waits, and with it every younger one that needs room too.
   */
  #fetchPictures(): void {
    const lacking = this.#running.filter(({ hasAllPictures }) => !hasAllPictures);
    for (const [index, sequence] of lacking.entries()) {
      const picture = sequence.nextPicture;
      if (picture === undefined || sequence.isAwaitingPicture) continue;
      const isKnown = this.#pictures.has(picture);
      if (index > 0 && !isKnown) continue;
      // Whoever can go on will let go of its pictures; when nobody can, this one must.
      const mayWait = this.#running.some((other) => other.hasAllPictures);
      if (mayWait && !this.#pictures.hasRoomFor(picture)) continue;
      sequence.isAwaitingPicture = true;
      void this.#fetchPicture(sequence, picture).finally(() => {
        sequence.isAwaitingPicture = false;
        this.#wake();
      });
    }
  }

  /** The disk is asked first, while steps go on; then the tower, in turns with them. */
  async #encode(picture: Picture, cancelled: AbortSignal): Promise<NewStates> {
    const entry = this.#keeper === undefined ? undefined : this.#runner.entryOf?.(picture);
    const tokens = entry === undefined ? undefined : await this.#keeper?.read(entry);
    cancelled.throwIfAborted();
    const onTokens =
      entry === undefined || tokens !== undefined
        ? undefined
        : (made: Uint8Array<ArrayBuffer>) => this.#keeper?.write(entry, made);
    const encoding = this.#encodings.start(
      (pause) => this.#runner.encodeImage(picture, { pause, tokens, onTokens }),
      cancelled,
    );
    this.#wake();
    return { states: await encoding, origin: tokens === undefined ? "encoded" : "disk" };
  }

  async #fetchPicture(sequence: Sequence, picture: Picture): Promise<void> {
    try {
      const held = await this.#pictures.acquire(picture, sequence.cancelled);
      if (sequence.isCancelled) {
        held[Symbol.dispose]();
        return;
      }
      const imageIndex = sequence.pictures.length;
      sequence.pictures.push(held);
      sequence.events.push({ type: "image", imageIndex, ...reportOf(picture, held) });
    } catch (error) {
      if (!sequence.isCancelled) this.#fail(sequence, asPlatformError(error));
    }
  }

  /** @returns whether anything was run */
  async #step(): Promise<boolean> {
    const ready = this.#running.filter(({ hasAllPictures }) => hasAllPictures);
    const plan = planStep(ready, {
      maxTokens: this.#tokenBudget(ready),
      maxSequences: this.#maxNumSeqs,
    })
      .map(withFewLogits)
      .filter((scheduled) => this.#reserve(scheduled));
    // Reserving for one sequence may have taken the blocks of another that was planned before it.
    const batch = plan.filter(({ sequence }) => this.#running.includes(sequence));
    if (batch.length === 0) return false;
    let logits: readonly (Float32Array | undefined)[];
    const startedAt = performance.now();
    try {
      logits = await this.#runner.step(batch.map(toStepSequence));
    } catch (cause) {
      const error = asPlatformError(cause);
      for (const { sequence } of batch) this.#fail(sequence, error);
      return true;
    }
    const numPromptTokens = batch.reduce(
      (sum, { numTokens }) => sum + (numTokens > 1 ? numTokens : 0),
      0,
    );
    this.#pace.observe(numPromptTokens, performance.now() - startedAt);
    for (const [index, scheduled] of batch.entries()) {
      const { sequence, numTokens } = scheduled;
      const numLogits = numLogitsOf(scheduled);
      this.#publishBlocks(sequence, numTokens);
      const rows = logits[index];
      if (rows === undefined || sequence.isCancelled) continue;
      const { vocabSize } = this.model;
      const rowOf = (row: number): Float32Array =>
        rows.subarray(row * vocabSize, (row + 1) * vocabSize);
      sequence.reportPrompt(sequence.numCached - numLogits, numLogits, rowOf);
      if (sequence.numCached === sequence.numTokens) {
        await this.#advance(sequence, rowOf(numLogits - 1));
      }
    }
    return true;
  }

  /** Of the next step. While answers are under way, prompts take no longer than these may wait. */
  #tokenBudget(ready: readonly Sequence[]): number {
    const numAnswering = ready.filter(({ generated }) => generated.length > 0).length;
    if (numAnswering === 0) return this.#maxBatchedTokens;
    return Math.min(this.#maxBatchedTokens, numAnswering + this.#pace.numTokens);
  }

  /** Tokens were run: the blocks that they filled can be found by others from now on. */
  #publishBlocks(sequence: Sequence, numTokens: number): void {
    const { blockSize } = this.#runner;
    const first = Math.floor(sequence.numCached / blockSize);
    sequence.numCached += numTokens;
    const numFull = Math.floor(sequence.numCached / blockSize);
    const keys = sequence.blockKeys.first(numFull);
    for (let index = first; index < numFull; index++) {
      const [block, key] = [sequence.blockIds[index], keys[index]];
      if (block !== undefined && key !== undefined) this.#blocks.publish(block, key);
    }
  }

  /** Have blocks for the tokens to be run; takes them from the youngest sequence when none is free. */
  #reserve({ sequence, numTokens }: ScheduledSequence<Sequence>): boolean {
    if (!this.#running.includes(sequence)) return false;
    const wanted = this.#blocksFor(sequence.numCached + numTokens);
    while (sequence.blockIds.length < wanted) {
      const block = this.#blocks.allocate(sequence.blockIds.at(-1));
      if (block !== undefined) {
        sequence.blockIds.push(block);
        continue;
      }
      const youngest = this.#running
        .filter(({ blockIds }) => blockIds.length > 0)
        .reduce((a, b) => (b.arrival > a.arrival ? b : a), sequence);
      if (
        youngest === sequence &&
        this.#running.some((other) => other !== sequence && other.blockIds.length > 0)
      ) {
        this.#preempt(sequence);
        return false;
      }
      if (youngest === sequence) {
        this.#fail(
          sequence,
          new PlatformError(
            "out_of_memory",
            `The KV cache holds ${this.#blocks.numBlocks * this.#runner.blockSize} tokens, and this request needs more. Shorten it, or launch with more memory.`,
          ),
        );
        return false;
      }
      this.#preempt(youngest);
    }
    return true;
  }

  /** Give the blocks back; what they held is computed again from the tokens. */
  #preempt(sequence: Sequence): void {
    this.#blocks.free(sequence.blockIds);
    sequence.blockIds = [];
    sequence.numCached = 0;
    this.#running = this.#running.filter((other) => other !== sequence);
    this.#waiting.unshift(sequence);
    this.#waiting.sort((a, b) => a.arrival - b.arrival);
  }

  async #advance(sequence: Sequence, logits: Float32Array): Promise<void> {
    if (!isUsable(logits)) {
      this.#fail(
        sequence,
        new PlatformError(
          "worker_failed",
          `The model's numbers for token ${sequence.generated.length + 1} of the answer are not finite: its weights are damaged, or too large for their data type. Fetch the checkpoint again, or launch with --kv-cache-dtype f32.`,
        ),
      );
      return;
    }
    const { sampling, prompt, generated, random, events } = sequence;
    if (sampling.maxTokens === 0) {
      this.#finish(sequence, "length");
      return;
    }
    let allowed: Int32Array | undefined;
    try {
      allowed = await sequence.grammar?.allowed();
    } catch (error) {
      this.#fail(sequence, asPlatformError(error));
      return;
    }
    if (sequence.grammar !== undefined && allowed === undefined) {
      this.#finish(sequence, "stop");
      return;
    }
    const chosen = chooseToken(logits, sampling, {
      history: { prompt: prompt.tokenIds, generated },
      random,
      allowed,
    });
    if (chosen === undefined) {
      this.#fail(sequence, nothingAllowed(generated.length));
      return;
    }
    generated.push(chosen);
    sequence.grammar?.accept(chosen);
    const { logprobs } = sampling;
    const report = logprobs === undefined ? undefined : logProbabilities(logits, chosen, logprobs);
    events.push({
      type: "token",
      tokenId: chosen,
      logprob: report?.logprob,
      topLogprobs: report?.top ?? [],
    });
    const reason = sequence.finishReason(this.model.contextLength);
    if (reason !== undefined) this.#finish(sequence, reason);
  }

  #finish(sequence: Sequence, reason: FinishReason): void {
    sequence.events.push({ type: "finish", reason });
    this.#release(sequence);
  }

  #fail(sequence: Sequence, error: unknown): void {
    sequence.events.fail(error);
    this.#release(sequence);
  }

  #release(sequence: Sequence): void {
    this.#blocks.free(sequence.blockIds);
    sequence.blockIds = [];
    sequence.releasePictures();
    sequence.events.end();
    // A picture that it still waits for is let go of.
    sequence.cancel();
    this.#running = this.#running.filter((other) => other !== sequence);
    this.#waiting = this.#waiting.filter((other) => other !== sequence);
  }
}

function nothingAllowed(numGenerated: number): PlatformError {
  return new PlatformError(
    "invalid_request",
    `No token may follow the ${numGenerated} of the answer: the bias and the grammar together rule all of them out. Ask for less.`,
  );
}

/** What a runner throws is told without its text, which is a bug's; but want of memory is no bug. */
function asPlatformError(cause: unknown): PlatformError {
  if (cause instanceof PlatformError) return cause;
  if (cause instanceof Error && cause.message.startsWith("ggml could not allocate")) {
    return new PlatformError(
      "out_of_memory",
      "There is not enough memory to compute this request. Send fewer or smaller pictures, free some memory, or launch with a smaller --max-model-len.",
      { cause },
    );
  }
  return new PlatformError("worker_failed", "The engine failed while computing. Try again.", {
    cause,
  });
}

/** Whether a token can be chosen: no NaN, and the largest is a number. A token may be ruled out by -∞. */
function isUsable(logits: Float32Array): boolean {
  let largest = Number.NEGATIVE_INFINITY;
  // Unlike a comparison, `Math.max` keeps a NaN.
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i] ?? largest);
  return Number.isFinite(largest);
}

/** Logits of one token take half a megabyte where the vocabulary has 128,000. */
const MAX_REPORTED_ROWS = 64;

/** Whoever wants the prompt's log-probabilities gets a prompt in smaller pieces. */
function withFewLogits(scheduled: ScheduledSequence<Sequence>): ScheduledSequence<Sequence> {
  const { sequence, numTokens } = scheduled;
  const numSilent = Math.max(0, sequence.firstReportedRow - sequence.numCached);
  return { sequence, numTokens: Math.min(numTokens, numSilent + MAX_REPORTED_ROWS) };
}

/** Of so many of the last tokens of a step the logits are wanted. */
function numLogitsOf({ sequence, numTokens }: ScheduledSequence<Sequence>): number {
  const { numCached } = sequence;
  const end = numCached + numTokens;
  const last = end === sequence.numTokens ? end - 1 : end;
  return end - Math.max(numCached, Math.min(sequence.firstReportedRow, last));
}

function toStepSequence(scheduled: ScheduledSequence<Sequence>): StepSequence {
  const { sequence, numTokens } = scheduled;
  const { numCached } = sequence;
  return {
    tokenIds: sequence.tokensFrom(numCached, numTokens),
    startPosition: numCached,
    blockIds: sequence.blockIds,
    pictures: sequence.pictures.map(({ states }) => states),
    imagePositions: sequence.imagePositions,
    numLogits: numLogitsOf(scheduled),
  };
}

function reportOf(
  { width, height }: Picture,
  { states, origin, encodeMs }: HeldStates,
): Omit<ImageReport, "imageIndex"> {
  const cachedIn = origin === "encoded" ? {} : { cachedIn: origin };
  return { width, height, ...states.report, cached: origin !== "encoded", ...cachedIn, encodeMs };
}
