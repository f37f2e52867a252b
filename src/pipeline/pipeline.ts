/**
 * What stands in front of every engine: a request goes in, an answer's events come out.
 *
 * It belongs to a checkpoint, not to an engine: replicas and engines of any kind share one.
 */
import type { Engine } from "../engines/engine.ts";
import type { GenerateEvent } from "../generation/event.ts";
import type { GenerateRequest } from "../generation/request.ts";
import { type FetchMedia, refuseMedia } from "../media/media-fetcher.ts";
import { openTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import { answerChoices, bestAnswers } from "./answer-choices.ts";
import { checkTools } from "./check-tools.ts";
import { generateText } from "./generate-text.ts";
import { encodePrompt, type PreparedRequest, prepareRequest } from "./prepare.ts";
import { noStoredFiles, type ReadStored } from "./read-stored.ts";
import { scoreOptions } from "./score-options.ts";
import { withToolCalls } from "./tool-calls.ts";

export type PipelineOptions = {
  /** What chat templates take the date from. */
  readonly now?: () => Date;
  /** Reads pictures that come as an address; without it they are refused. */
  readonly fetchMedia?: FetchMedia;
  /** Reads pictures that were sent as files before; without it there are none. */
  readonly readStored?: ReadStored;
};

export class Pipeline implements AsyncDisposable {
  readonly tokenizer: Tokenizer;
  readonly #now: () => Date;
  readonly #fetchMedia: FetchMedia;
  readonly #readStored: ReadStored;

  /** The tokenizer is the pipeline's from here on. */
  constructor(
    tokenizer: Tokenizer,
    {
      now = () => new Date(),
      fetchMedia = refuseMedia,
      readStored = noStoredFiles,
    }: PipelineOptions = {},
  ) {
    this.tokenizer = tokenizer;
    this.#now = now;
    this.#fetchMedia = fetchMedia;
    this.#readStored = readStored;
  }

  /**
   * Open the tokenizer and chat template of a checkpoint.
   *
   * @param directory in Hugging Face layout, absolute
   * @throws PlatformError `corrupt_model_file`
   */
  static async open(directory: string, options: PipelineOptions = {}): Promise<Pipeline> {
    return new Pipeline(await openTokenizer(directory), options);
  }

  /**
   * Answer `request` on `engine`. Leaving the loop, or aborting `signal`, stops the work.
   *
   * @throws PlatformError what `prepareRequest` and the engine say
   */
  async *generate(
    engine: Engine,
    request: GenerateRequest,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<GenerateEvent, void> {
    const { model } = engine;
    using prepared = await prepareRequest(request, {
      tokenizer: this.tokenizer,
      model,
      dateString: dayMonthYear(this.#now()),
      fetchMedia: this.#fetchMedia,
      readStored: this.#readStored,
      signal,
    });
    if (request.options !== undefined) {
      const end = request.prompt.type === "chat" ? model.stopTokenIds.at(-1) : undefined;
      const { tokenizer } = this;
      yield* scoreOptions(request.options, { engine, tokenizer, ...prepared, end, signal });
      return;
    }
    yield* this.#answers(engine, { request, prepared, signal });
  }

  async *#answers(
    engine: Engine,
    question: {
      readonly request: GenerateRequest;
      readonly prepared: PreparedRequest;
      readonly signal: AbortSignal;
    },
  ): AsyncGenerator<GenerateEvent, void> {
    const { request, prepared, signal } = question;
    const { prompt, report, sampling } = prepared;
    const tools = request.prompt.type === "chat" ? request.prompt.tools : undefined;
    const { numChoices = 1, bestOf = numChoices } = request;
    const isRanked = bestOf > numChoices;
    const keepsLogprobs = sampling.logprobs !== undefined;
    const start = (choice: number): AsyncGenerator<GenerateEvent, void> => {
      const seed = sampling.seed === undefined ? undefined : (sampling.seed + choice) >>> 0;
      const logprobs = sampling.logprobs ?? (isRanked ? 0 : undefined);
      const own = { ...sampling, seed, logprobs };
      const text = generateText(engine.generate(prompt, { sampling: own, signal }), {
        promptTokenIds: prompt.tokenIds,
        promptReport: report,
        vocabulary: this.tokenizer.vocabulary,
        model: engine.model,
        stop: request.sampling.stop,
        // Of a text it is the begin of text, which nobody sent.
        reportsFirst: request.reportsPrompt === true && report.decodedText !== undefined,
        stopTokenIds: sampling.stopTokenIds,
      });
      return tools === undefined ? text : withToolCalls(text, tools);
    };
    if (bestOf === 1) yield* start(0);
    else if (isRanked)
      yield* bestAnswers(answerChoices(start, bestOf), { numChoices, keepsLogprobs });
    else yield* answerChoices(start, numChoices);
  }

  /**
   * Count the tokens of a prompt, image tokens included; pictures are not read.
   *
   * @throws PlatformError what `encodePrompt` says
   */
  async countTokens(
    { model }: Engine,
    prompt: GenerateRequest["prompt"],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<number> {
    if (prompt.type === "chat") checkTools(prompt);
    const { tokenIds } = await encodePrompt(prompt, {
      tokenizer: this.tokenizer,
      model,
      dateString: dayMonthYear(this.#now()),
      signal,
    });
    return tokenIds.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tokenizer[Symbol.asyncDispose]();
  }
}

/** Local time, as Python's `%d %b %Y` writes it: "03 Nov 2026". */
export function dayMonthYear(date: Date): string {
  const month = date.toLocaleString("en-US", { month: "short" });
  return `${String(date.getDate()).padStart(2, "0")} ${month} ${date.getFullYear()}`;
}
