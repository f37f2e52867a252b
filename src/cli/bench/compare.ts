/** Measures every contestant in turns, so that a machine whose speed drifts drifts for all. */
import { type Contestant, Prompts } from "./contestant.ts";
import type { Measure } from "./measures.ts";

export type Outcome = {
  readonly measure: Measure;
  /** By contestant, in their order. */
  readonly results: readonly Result[];
};

export type Result = {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** How many times as good as the first contestant's median; above 1 is better. */
  readonly ratio: number;
  readonly runs: readonly number[];
};

/** @param onRun tells what is measured next */
export async function compare(
  contestants: readonly Contestant[],
  measures: readonly Measure[],
  {
    numRuns,
    seed,
    signal,
    onRun = () => undefined,
  }: {
    readonly numRuns: number;
    readonly seed: number;
    readonly signal: AbortSignal;
    readonly onRun?: (what: string) => void;
  },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const measure of measures) {
    const numbers = contestants.map((): number[] => []);
    // Once to warm up, which does not count.
    for (let run = -1; run < numRuns; run++) {
      for (const [index, contestant] of contestants.entries()) {
        signal.throwIfAborted();
        onRun(
          `${measure.title}: ${contestant.name}, ${run < 0 ? "warming up" : `${run + 1} of ${numRuns}`}`,
        );
        // The same prompts for every contestant, and others for the next run and measure.
        const prompts = new Prompts(seed + run * 7_919 + outcomes.length * 104_729);
        const value = await measure.run(contestant, prompts, signal);
        if (run >= 0) numbers[index]?.push(value);
      }
    }
    outcomes.push({ measure, results: summarize(measure, numbers) });
  }
  return outcomes;
}

export function summarize(
  { better }: Pick<Measure, "better">,
  numbers: readonly (readonly number[])[],
): Result[] {
  const first = medianOf(numbers[0] ?? []);
  return numbers.map((runs) => {
    const median = medianOf(runs);
    return {
      median,
      least: Math.min(...runs),
      most: Math.max(...runs),
      ratio: better === "more" ? median / first : first / median,
      runs,
    };
  });
}

function medianOf(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
