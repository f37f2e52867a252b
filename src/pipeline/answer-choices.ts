/** Several answers to one prompt, side by side; or the best of several. */
import { sideBySide } from "../base/side-by-side.ts";
import type { GenerateEvent } from "../generation/event.ts";

type Finish = Extract<GenerateEvent, { type: "finish" }>;
type Delta = Extract<GenerateEvent, { type: "text-delta" }>;

/**
 * @param start begins the answer of that number
 * @returns what all of them say, as it comes; what they say of the prompt only once
 */
export async function* answerChoices(
  start: (choice: number) => AsyncIterable<GenerateEvent>,
  numChoices: number,
): AsyncGenerator<GenerateEvent, void> {
  for await (const { index: choice, value: event } of sideBySide(start, numChoices)) {
    const isAnswer = event.type === "text-delta" || event.type === "finish";
    if (isAnswer) yield { ...event, choice };
    else if (choice === 0) yield event;
  }
}

/**
 * Of all answers those whose tokens are likeliest on average, once all are complete.
 *
 * The tokens of the others count in the usage of the first.
 *
 * @param events of all candidates, with log-probabilities
 * @param keepsLogprobs whether anybody asked for them
 */
export async function* bestAnswers(
  events: AsyncIterable<GenerateEvent>,
  { numChoices, keepsLogprobs }: { readonly numChoices: number; readonly keepsLogprobs: boolean },
): AsyncGenerator<GenerateEvent, void> {
  const candidates = new Map<number, { readonly deltas: Delta[]; finish?: Finish }>();
  for await (const event of events) {
    if (event.type !== "text-delta" && event.type !== "finish") {
      yield event;
      continue;
    }
    const candidate = candidates.get(event.choice ?? 0) ?? { deltas: [] };
    candidates.set(event.choice ?? 0, candidate);
    if (event.type === "finish") candidate.finish = event;
    else candidate.deltas.push(event);
  }
  const ranked = [...candidates.values()].toSorted((a, b) => meanLogprob(b) - meanLogprob(a));
  const numDiscarded = ranked
    .slice(numChoices)
    .reduce((sum, { finish }) => sum + (finish?.usage.completionTokens ?? 0), 0);
  for (const [choice, { deltas, finish }] of ranked.slice(0, numChoices).entries()) {
    for (const delta of deltas)
      yield { ...delta, choice, ...(keepsLogprobs ? {} : withoutLogprobs(delta)) };
    if (finish === undefined) throw new Error("an answer ended without a finish");
    const { usage } = finish;
    const extra = choice === 0 ? numDiscarded : 0;
    yield {
      ...finish,
      choice,
      usage: { ...usage, completionTokens: usage.completionTokens + extra },
    };
  }
}

function withoutLogprobs({ tokens }: Delta): Pick<Delta, "tokens"> {
  return { tokens: tokens.map((token) => ({ ...token, logprob: undefined, topLogprobs: [] })) };
}

function meanLogprob({ deltas }: { readonly deltas: readonly Delta[] }): number {
  const logprobs = deltas.flatMap(({ tokens }) => tokens.map(({ logprob }) => logprob ?? 0));
  return logprobs.reduce((sum, logprob) => sum + logprob, 0) / Math.max(logprobs.length, 1);
}
