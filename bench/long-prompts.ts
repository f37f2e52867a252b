/**
 * Prompts of up to 131,071 tokens beside what Transformers computed of them, with the time and the memory that each takes.
 *
 *     npx tsx bench/long-prompts.ts [--case NAME …] [--dtype f32 --dtype bf16] [--most TOKENS] [--threads N] [--note TEXT] [--json FILE]
 *
 * Cases are those of `test/golden/long`; a prompt's beginning is computed once, so each row's time is that of what it adds.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { compareLong, longCases, longCheckpoint } from "../test/support/long-golden.ts";
import { startNativeEngine } from "../test/support/native-engine.ts";

const { values } = parseArgs({
  options: {
    case: { type: "string", multiple: true },
    dtype: { type: "string", multiple: true, default: ["f32", "bf16"] },
    most: { type: "string", default: "131071" },
    threads: { type: "string", default: String(availableParallelism()) },
    note: { type: "string" },
    json: { type: "string" },
  },
});
const SAMPLE_MS = 500;

async function measure(one: (typeof longCases)[number], dtype: "f32" | "bf16") {
  using checkpoint = longCheckpoint(one.model, dtype);
  await using engine = await startNativeEngine(checkpoint.path, {
    maxModelLen: 131_072,
    maxNumSeqs: 1,
    numThreads: Number(values.threads),
  });
  const residentMegabytes = async (): Promise<number> =>
    Math.round((await engine.stats()).residentBytes / 1e6);
  const loaded = await residentMegabytes();
  let peak = loaded;
  const timer = setInterval(() => {
    void residentMegabytes().then((now) => {
      peak = Math.max(peak, now);
    });
  }, SAMPLE_MS);
  const rows = [];
  try {
    for await (const row of compareLong(engine, one, Number(values.most))) {
      const { numTokens, reused, seconds, largest, meanSquare, answer, expected } = row;
      rows.push({
        tokens: numTokens,
        reused,
        seconds: Number(seconds.toFixed(2)),
        largest: Number(largest.toPrecision(3)),
        meanSquare: Number(meanSquare.toPrecision(3)),
        sameAnswer: String(answer) === String(expected),
        smallestGap: row.smallestGap,
        residentMegabytes: await residentMegabytes(),
        peakMegabytes: peak,
      });
      console.error(one.case, dtype, JSON.stringify(rows.at(-1)));
    }
  } finally {
    clearInterval(timer);
  }
  const { kvCacheBytes = 0, weightBytes = 0 } = await engine.stats();
  return {
    case: one.case,
    dtype,
    weightMegabytes: Math.round(weightBytes / 1e6),
    cacheMegabytes: Math.round(kvCacheBytes / 1e6),
    loadedMegabytes: loaded,
    rows,
  };
}

const results = [];
for (const one of longCases) {
  if (values.case !== undefined && !values.case.includes(one.case)) continue;
  for (const dtype of ["f32", "bf16"] as const) {
    if (values.dtype.includes(dtype)) results.push(await measure(one, dtype));
  }
}
const result = {
  what: "long prompts beside Transformers: differences of log-probabilities, seconds for the tokens that a row adds, resident memory of the worker",
  machine: { processor: cpus()[0]?.model, cores: availableParallelism() },
  threads: Number(values.threads),
  ...(values.note !== undefined && { note: values.note }),
  results,
};
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
}
