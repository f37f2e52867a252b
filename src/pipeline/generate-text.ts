/** An engine's tokens become an answer's text, which ends where a stop string begins. */
import type { TokenId } from "../base/ids.ts";
import type { EngineModelInfo } from "../engines/engine.ts";
import type { EngineEvent, TokenReport } from "../generation/engine-prompt.ts";
import type {
  FinishReason,
  GeneratedToken,
  GenerateEvent,
  PromptReport,
} from "../generation/event.ts";
import { Detokenizer } from "../tokenizer/detokenize.ts";
import type { Vocabulary } from "../tokenizer/vocabulary.ts";
import { StopStrings } from "./stop-strings.ts";

export type TextOptions = {
  readonly promptTokenIds: readonly TokenId[];
  readonly promptReport: PromptReport;
  readonly vocabulary: Vocabulary;
  readonly model: EngineModelInfo;
  /** Text that ends the answer; it is not part of it. */
  readonly stop: readonly string[];
  /** Whether the prompt's first token, of which no engine can say how likely it was, is reported before the others. */
  readonly reportsFirst?: boolean;
  /** Tokens that end the answer and have no text, beside the model's own. */
  readonly stopTokenIds?: readonly TokenId[];
};

/**
 * Turn one engine's answer into events for whoever asked.
 *
 * Every token is reported in exactly one `text-delta`, the stop token too; its text may come later,
 * while a character or a stop string is open. Special tokens and stop tokens have no text. When a stop
 * string is complete the loop over `events` is left, which stops the engine.
 */
export async function* generateText(
  events: AsyncIterable<EngineEvent>,
  options: TextOptions,
): AsyncGenerator<GenerateEvent, void> {
  const { promptTokenIds, promptReport, vocabulary, model, stop, stopTokenIds = [] } = options;
  const detokenizer = new Detokenizer();
  const stops = new StopStrings(stop);
  const stopIds = new Set([...model.stopTokenIds, ...stopTokenIds]);
  const promptTokens: GeneratedToken[] = promptTokenIds
    .slice(0, options.reportsFirst === true ? 1 : 0)
    .map((id) =>
      toGeneratedToken({ tokenId: id, logprob: undefined, topLogprobs: [] }, vocabulary),
    );
  const takePrompt = (): { readonly prompt?: readonly GeneratedToken[] } =>
    promptTokens.length === 0 ? {} : { prompt: promptTokens.splice(0) };
  let completionTokens = 0;
  let imageTokens = 0;
  let cachedTokens = 0;
  const finish = (reason: FinishReason, stopString?: string): GenerateEvent => ({
    type: "finish",
    reason,
    stopString,
    usage: { promptTokens: promptTokenIds.length, completionTokens, imageTokens, cachedTokens },
  });

  yield { type: "started", promptTokenIds, ...promptReport };
  for await (const event of events) {
    switch (event.type) {
      case "image": {
        const { type: _, ...report } = event;
        imageTokens += report.grid.rows * report.grid.columns * model.visionTokensPerTile;
        yield { type: "image", report };
        break;
      }
      case "token": {
        completionTokens += 1;
        const isShown = !stopIds.has(event.tokenId) && !vocabulary.isSpecial(event.tokenId);
        const shown = isShown ? detokenizer.push(vocabulary.bytesOf(event.tokenId)) : "";
        const { text, stop: stopString } = stops.push(shown);
        yield {
          type: "text-delta",
          text,
          tokens: [toGeneratedToken(event, vocabulary)],
          ...takePrompt(),
        };
        if (stopString !== undefined) {
          yield finish("stop", stopString);
          return;
        }
        break;
      }
      case "reused":
        cachedTokens = event.numTokens;
        break;
      case "prompt-token":
        promptTokens.push(toGeneratedToken(event, vocabulary));
        break;
      case "finish": {
        const last = stops.push(detokenizer.end());
        const rest = last.stop === undefined ? last.text + stops.end() : last.text;
        if (rest !== "" || promptTokens.length > 0) {
          yield { type: "text-delta", text: rest, tokens: [], ...takePrompt() };
        }
        yield last.stop === undefined ? finish(event.reason) : finish("stop", last.stop);
        return;
      }
      default:
        event satisfies never;
    }
  }
  throw new Error("the engine's answer ended without saying why");
}

function toGeneratedToken(
  { tokenId, logprob, topLogprobs }: TokenReport,
  vocabulary: Vocabulary,
): GeneratedToken {
  return {
    tokenId,
    bytes: vocabulary.bytesOf(tokenId),
    logprob,
    topLogprobs: topLogprobs.map((other) => ({
      ...other,
      bytes: vocabulary.bytesOf(other.tokenId),
    })),
  };
}
