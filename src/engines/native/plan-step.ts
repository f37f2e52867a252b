/** Which sequences run in the next forward pass, and how many of their tokens. Pure. */

export type PlannableSequence = {
  readonly arrival: number;
  /** Tokens the sequence has: its prompt and what was generated. */
  readonly numTokens: number;
  /** How many of them already have keys and values in the cache. */
  readonly numCached: number;
};

export type ScheduledSequence<Sequence> = {
  readonly sequence: Sequence;
  readonly numTokens: number;
};

/**
 * First come, first served, within the budget.
 *
 * There is no prefill mode and no decode mode. A sequence owes the tokens it has and the cache has
 * not; a long prompt owes thousands and is paid in chunks, a decoding sequence owes one. Decoding
 * sequences are served before longer debts, so that a long prompt never halts a running answer.
 */
export function planStep<Sequence extends PlannableSequence>(
  sequences: readonly Sequence[],
  budget: { readonly maxTokens: number; readonly maxSequences: number },
): ScheduledSequence<Sequence>[] {
  const plan: ScheduledSequence<Sequence>[] = [];
  let tokensLeft = budget.maxTokens;
  const owes = (sequence: Sequence): number => sequence.numTokens - sequence.numCached;
  const byArrival = sequences.toSorted((a, b) => a.arrival - b.arrival);
  const order = [
    ...byArrival.filter((sequence) => owes(sequence) === 1),
    ...byArrival.filter((sequence) => owes(sequence) > 1),
  ];
  for (const sequence of order) {
    if (tokensLeft === 0 || plan.length === budget.maxSequences) break;
    const numTokens = Math.min(owes(sequence), tokensLeft);
    plan.push({ sequence, numTokens });
    tokensLeft -= numTokens;
  }
  return plan;
}
