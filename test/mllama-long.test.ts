/**
 * Long prompts against Transformers, to the last position: through the engine, in chunks, each beginning computed once.
 *
 * Tiny-d has the released models' head size and rotary numbers, and one layer whose work grows with the square of the
 * length. `bench/results/long-prompts.json` has what the demo model does at 131,071.
 */
import { expect, test } from "vitest";
import { compareLong, type LongCase, longCases, longCheckpoint } from "./support/long-golden.ts";
import { startNativeEngine } from "./support/native-engine.ts";

/**
 * Of log-probabilities, which carry the difference of a sum over the vocabulary beside that of the logit.
 *
 * Float32: both sides add up as many numbers as there are keys, in different orders, and the difference grows with their
 * number: measured with tiny-d 5e-6 at 2,048 keys, 2.3e-5 at 32,768 and 1.2e-4 at 131,071; with the demo model, whose
 * numbers are larger, up to 1.4e-4. With angles in double precision in place of the reference's float32, tiny-d is at 1.7e-4
 * after 8,192 tokens and at 7.2e-4 after 32,768.
 *
 * Weights in bfloat16, keys and values in float16: tiny-d as `roundedLimits`, whose products these are. The demo model's
 * residual stream is tens of times larger, and its logits spread up to twice as far; measured 0.41 after 8,192 tokens, 0.24 after 2,048 and 0.27 after 131,071, so it is
 * rounding, and not length.
 */
const limits = {
  "tiny-d": { f32: 2e-4, bf16: 0.12 },
  demo: { f32: 4e-4, bf16: 0.8 },
} as const;

/** Each to where seconds take it; `bench/long-prompts.ts` goes to the end with all of them. */
const mostTokens = (one: LongCase, dtype: "f32" | "bf16"): number => {
  if (one.case === "tiny-d" && dtype === "f32") return 131_071;
  return one.model === "tiny-d" || (one.case === "demo" && dtype === "f32") ? 32_768 : 8_192;
};
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
    });
    const lengths = one.lengths.filter((length) => length <= mostTokens(one, dtype));
    const limit = limits[one.model][dtype];
    let before = 0;
    for await (const row of compareLong(engine, one, mostTokens(one, dtype))) {
      const { numTokens, largest, answer, expected, smallestGap, finish, reused } = row;
      expect([numTokens, largest <= limit ? "close" : largest]).toEqual([numTokens, "close"]);
      // Where two tokens are nearer to each other than rounding moves likely ones, either may come.
      if (smallestGap > (dtype === "f32" ? 1e-3 : 0.2))
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
