/** What is measured of an engine, each as one number that more, or less, of is better. */
import type { EnginePrompt } from "../../generation/engine-prompt.ts";
import { type Contestant, type Prompts, type Timing, time } from "./contestant.ts";

export type Sizes = {
  /** Tokens of an answer whose speed is measured. */
  readonly numTokens: number;
  /** Tokens of a prompt whose reading is measured. */
  readonly promptTokens: number;
  /** How many answer at the same time. */
  readonly streams: readonly number[];
};

export type Measure = {
  /** As it is named on the command line and in JSON. */
  readonly name: string;
  readonly title: string;
  readonly unit: "tokens/s" | "ms" | "s" | "MB";
  readonly better: "more" | "less";
  /** @param prompts the same for every contestant of a run */
  readonly run: (contestant: Contestant, prompts: Prompts, signal: AbortSignal) => Promise<number>;
};

/** Text of a question that is asked about a picture, tokens. */
const QUESTION_TOKENS = 24;

export function measuresOf({ numTokens, promptTokens, streams }: Sizes): Measure[] {
  return [
    {
      name: "load",
      title: "load",
      unit: "s",
      better: "less",
      run: async ({ loadMs }) => loadMs / 1_000,
    },
    {
      name: "decode",
      title: "decode, one stream",
      unit: "tokens/s",
      better: "more",
      run: async (contestant, prompts, signal) => {
        const next = (): EnginePrompt => prompts.next(contestant, QUESTION_TOKENS);
        const firstMs = await firstTokenMs(contestant, next(), signal);
        return speedOf(await time(contestant, next(), { maxTokens: numTokens, signal }), firstMs);
      },
    },
    {
      name: "prefill",
      title: `prefill of ${promptTokens} tokens`,
      unit: "tokens/s",
      better: "more",
      run: async (contestant, prompts, signal) => {
        const prompt = prompts.next(contestant, promptTokens);
        return (promptTokens * 1_000) / (await firstTokenMs(contestant, prompt, signal));
      },
    },
    {
      name: "ttft",
      title: "first token, text",
      unit: "ms",
      better: "less",
      run: async (contestant, prompts, signal) =>
        await firstTokenMs(contestant, prompts.next(contestant, QUESTION_TOKENS), signal),
    },
    ...[1, 2].map((columns): Measure => {
      const numTiles = columns ** 2;
      return {
        name: `ttft-${numTiles}-tile`,
        title: `first token, new picture of ${numTiles === 1 ? "one tile" : "four tiles"}`,
        unit: "ms",
        better: "less",
        run: async (contestant, prompts, signal) => {
          const picture = prompts.picture(contestant, columns);
          const prompt = prompts.next(contestant, QUESTION_TOKENS, [picture]);
          return await firstTokenMs(contestant, prompt, signal);
        },
      };
    }),
    {
      name: "ttft-cached",
      title: "first token, the same picture again",
      unit: "ms",
      better: "less",
      run: async (contestant, prompts, signal) => {
        const picture = prompts.picture(contestant, 2);
        const ask = async (): Promise<number> =>
          await firstTokenMs(
            contestant,
            prompts.next(contestant, QUESTION_TOKENS, [picture]),
            signal,
          );
        await ask();
        return await ask();
      },
    },
    ...streams.map(
      (count): Measure => ({
        name: `throughput-${count}`,
        title: count === 1 ? "one stream" : `${count} streams together`,
        unit: "tokens/s",
        better: "more",
        run: async (contestant, prompts, signal) => {
          const asked = Array.from({ length: count }, () =>
            prompts.next(contestant, QUESTION_TOKENS),
          );
          const startedAt = performance.now();
          await Promise.all(
            asked.map((prompt) => time(contestant, prompt, { maxTokens: numTokens, signal })),
          );
          return (count * numTokens * 1_000) / (performance.now() - startedAt);
        },
      }),
    ),
    {
      name: "memory",
      title: "memory of the worker",
      unit: "MB",
      better: "less",
      run: async ({ engine }) => (await engine.stats()).residentBytes / 1e6,
    },
  ];
}

/**
 * Between the first token and the last.
 *
 * @param firstMs when the first token of such a prompt comes alone: the tokens of a small model may all arrive at once
 */
function speedOf({ tokenMs }: Timing, firstMs: number): number {
  const first = Math.min(tokenMs[0] ?? 0, firstMs);
  return ((tokenMs.length - 1) * 1_000) / ((tokenMs.at(-1) ?? 0) - first);
}

async function firstTokenMs(
  contestant: Contestant,
  prompt: EnginePrompt,
  signal: AbortSignal,
): Promise<number> {
  const { tokenMs } = await time(contestant, prompt, { maxTokens: 1, signal });
  return tokenMs[0] ?? Number.NaN;
}
