/**
 * Ends an answer where a stop string begins, however the text is cut into pieces.
 *
 * Of several stop strings the first to be complete counts; of those complete at the same character,
 * the longest. Text that may turn out to be the beginning of one is held back, and no more than that.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  /** @param stops none of them empty */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** @returns text that is certainly not part of a stop string, and the one that is complete */
  push(text: string): { readonly text: string; readonly stop: string | undefined } {
    const all = this.#held + text;
    const first = this.#firstStop(all);
    if (first !== undefined) {
      this.#held = "";
      return { text: all.slice(0, first.start), stop: all.slice(first.start, first.end) };
    }
    const numHeld = this.#lengthOfOpenStop(all);
    this.#held = numHeld === 0 ? "" : all.slice(-numHeld);
    return { text: all.slice(0, all.length - numHeld), stop: undefined };
  }

  /** @returns what was held back: the answer has ended without it becoming a stop string */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  #firstStop(text: string): { readonly start: number; readonly end: number } | undefined {
    let first: { start: number; end: number } | undefined;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      const end = start + stop.length;
      if (first === undefined || end < first.end || (end === first.end && start < first.start)) {
        first = { start, end };
      }
    }
    return first;
  }

  /** Length of the longest end of `text` that a stop string begins with. */
  #lengthOfOpenStop(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      const end = text.slice(-length);
      if (this.#stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
