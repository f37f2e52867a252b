/**
 * Long prompts against Transformers, to the last position: through the engine, in chunks, each beginning computed once.
 *
 * Tiny-d has the released models' head size and rotary numbers and runs to the end. The demo model runs to 32,768 tokens
 * here; `bench/long-prompts.ts` takes it to 131,071, which needs minutes.
 */
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { compareLong, longCases, longCheckpoint } from "./support/long-golden.ts";
import { startNativeEngine } from "./support/native-engine.ts";

/**
 * Of log-probabilities, which carry the difference of a sum over the vocabulary beside that of the logit.
 *
 * Float32: both sides round differently, and over more keys; measured at most 3e-5, and no more at 131,071 than at 2,048.
 * An angle taken in double precision, or ggml's own rotation, is a hundred times outside at 100,000.
 *
 * Weights in bfloat16, keys and values in float16: as `roundedLimits`, whose products these are.
 */
const limits = { f32: 6e-5, bf16: 0.12 } as const;

const MOST = { "tiny-d": 131_071, demo: 32_768 } as const;
const runs = longCases.flatMap((one) =>
  (["f32", "bf16"] as const).map((dtype) => ({ one, dtype })),
);

test.each(runs)(
  "$one.case in $dtype",
  async ({ one, dtype }) => {
    using checkpoint = longCheckpoint(one.model, dtype);
    await using engine = await startNativeEngine(checkpoint.path, {
      maxModelLen: 131_072,
      maxNumSeqs: 1,
      numThreads: availableParallelism(),
    });
    const lengths = one.lengths.filter((length) => length <= MOST[one.model]);
    let before = 0;
    for await (const row of compareLong(engine, one, MOST[one.model])) {
      const { numTokens, largest, answer, expected, smallestGap, finish, reused } = row;
      expect([numTokens, largest <= limits[dtype] ? "close" : largest]).toEqual([
        numTokens,
        "close",
      ]);
      // Where two tokens are nearer to each other than the limit, either may come.
      if (smallestGap > 2 * limits[dtype])
        expect([numTokens, ...answer]).toEqual([numTokens, ...expected]);
      expect([numTokens, finish, answer.length]).toEqual([numTokens, "length", expected.length]);
      expect(reused).toBe(Math.floor(before / 64) * 64);
      before = numTokens;
      expect(numTokens).toBe(lengths.shift());
    }
    expect(lengths).toEqual([]);
  },
  900_000,
);
