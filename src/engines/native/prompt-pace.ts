/**
 * How many tokens of prompts a step takes beside answers that are under way: as many as these may wait for.
 *
 * On a processor of two cores one prompt token of the 11B costs a tenth of a second, on a GPU a thousandth of that, so
 * it is measured.
 */

/** What answers under way may wait for prompts, a step; milliseconds. */
const PATIENCE_MS = 100;
/** A prompt goes on at least by this: fewer tokens cost hardly less, since the weights are read anyway. */
const LEAST_TOKENS = 16;

export class PromptPace {
  #msPerToken: number | undefined;

  /** A step of `numTokens` prompt tokens, and a few of answers, took `ms`. */
  observe(numTokens: number, ms: number): void {
    if (numTokens < LEAST_TOKENS) return;
    const measured = ms / numTokens;
    this.#msPerToken =
      this.#msPerToken === undefined ? measured : (this.#msPerToken + measured) / 2;
  }

  /** Prompt tokens of the next step. */
  get numTokens(): number {
    if (this.#msPerToken === undefined) return LEAST_TOKENS;
    return Math.max(LEAST_TOKENS, Math.floor(PATIENCE_MS / this.#msPerToken));
  }
}
