/**
 * Choosing a token from the 11B's 128,256 logits: milliseconds of CPU.
 *
 *     npx tsx bench/sampling.ts
 */

import { Random } from "../src/engines/native/random.ts";
import { chooseToken } from "../src/engines/native/sampler.ts";

const VOCABULARY = 128_256;
const NUM_TOKENS = 200;
const plain = {
  maxTokens: 1,
  temperature: 0.6,
  topK: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  seed: undefined,
  stopTokenIds: [],
  logprobs: undefined,
};

const random = new Random(1);
/** A few likely tokens above a bell of unlikely ones, as a trained model's. */
const logits = Float32Array.from({ length: VOCABULARY }, () => {
  const bell = random.next() + random.next() + random.next() + random.next() - 2;
  return 4 * bell + (random.next() < 1e-4 ? 12 * random.next() : 0);
});

for (const [name, settings] of Object.entries({
  greedy: { temperature: 0 },
  plain: {},
  "top-p 0.9, top-k 50": { topP: 0.9, topK: 50 },
  "top-p 0.9": { topP: 0.9 },
  "min-p 0.05": { minP: 0.05 },
})) {
  const choose = (): unknown =>
    chooseToken(
      logits,
      { ...plain, ...settings },
      { history: { prompt: [], generated: [] }, random },
    );
  for (let warm = 0; warm < 20; warm++) choose();
  const start = process.cpuUsage();
  for (let i = 0; i < NUM_TOKENS; i++) choose();
  const { user, system } = process.cpuUsage(start);
  process.stdout.write(`${name}: ${((user + system) / 1000 / NUM_TOKENS).toFixed(2)} ms\n`);
}
