/**
 * How likely each of several answers is: exactly, from the model's own probabilities of its tokens.
 *
 * In a conversation the end of the turn belongs to an answer, so that one which is the beginning of
 * another is not taken for it; a plain prompt has no such end.
 */
import type { TokenId } from "../base/ids.ts";
import type { Engine } from "../engines/engine.ts";
import type { EnginePrompt, EngineSampling } from "../generation/engine-prompt.ts";
import type { GenerateEvent, OptionProbability, PromptReport, Usage } from "../generation/event.ts";
import type { AnswerOptions } from "../generation/request.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

export type OptionContext = {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  readonly prompt: EnginePrompt;
  readonly report: PromptReport;
  readonly sampling: EngineSampling;
  /** The token that ends an answer; `undefined` when nothing does. */
  readonly end: TokenId | undefined;
  readonly signal: AbortSignal;
};

/** The likeliest option as the answer, and what all of them were worth. */
export async function* scoreOptions(
  { texts }: AnswerOptions,
  context: OptionContext,
): AsyncGenerator<GenerateEvent, void> {
  const { tokenizer, prompt, report, end, signal, engine } = context;
  yield { type: "started", promptTokenIds: prompt.tokenIds, ...report };
  const encoded = await Promise.all(
    texts.map(async (text) => [
      ...(await tokenizer.encode(text, { specialTokens: false, signal })),
      ...(end === undefined ? [] : [end]),
    ]),
  );
  let imageTokens = 0;
  let cachedTokens = 0;
  const logprobs: number[] = [];
  // The first one brings pictures and prompt into the engine's caches; the others find them there.
  for (const [index, tokenIds] of encoded.entries()) {
    let sum = 0;
    for await (const event of engine.generate(
      { tokenIds: [...prompt.tokenIds, ...tokenIds], pictures: prompt.pictures },
      { sampling: scoring(context), signal },
    )) {
      if (event.type === "prompt-token") sum += event.logprob ?? Number.NEGATIVE_INFINITY;
      if (index > 0) continue;
      if (event.type === "reused") cachedTokens = Math.min(event.numTokens, prompt.tokenIds.length);
      if (event.type === "image") {
        const { type: _, ...image } = event;
        imageTokens += image.grid.rows * image.grid.columns * engine.model.visionTokensPerTile;
        yield { type: "image", report: image };
      }
    }
    signal.throwIfAborted();
    logprobs.push(sum);
  }
  const options = toProbabilities(texts, logprobs);
  const best = logprobs.indexOf(Math.max(...logprobs));
  const bestIds = encoded[best] ?? [];
  const usage: Usage = {
    promptTokens: prompt.tokenIds.length,
    completionTokens: bestIds.length,
    imageTokens,
    cachedTokens,
  };
  yield { type: "text-delta", text: texts[best] ?? "", tokens: [] };
  yield { type: "finish", reason: "stop", stopString: undefined, usage, options };
}

function scoring({ prompt, sampling }: OptionContext): EngineSampling {
  return {
    ...sampling,
    maxTokens: 0,
    logprobs: undefined,
    promptLogprobs: { start: prompt.tokenIds.length, numAlternatives: 0 },
  };
}

function toProbabilities(
  texts: readonly string[],
  logprobs: readonly number[],
): OptionProbability[] {
  const largest = Math.max(...logprobs);
  const weights = logprobs.map((logprob) =>
    // Where none is possible at all, none is likelier than another.
    largest === Number.NEGATIVE_INFINITY ? 1 : Math.exp(logprob - largest),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return texts.map((text, index) => ({
    text,
    logprob: logprobs[index] ?? Number.NEGATIVE_INFINITY,
    probability: (weights[index] ?? 0) / total,
  }));
}
