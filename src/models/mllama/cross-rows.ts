/**
 * Which rows of a pass take part in cross-attention, and how many tokens of which picture each sees.
 * Pure; `text-model.ts` makes tensors of it.
 *
 * @see Transformers `_prepare_cross_attention_mask`, which profile `hf` follows
 */
import type { PictureStates } from "./picture-states.ts";
import { visibleRanges } from "./visible-pictures.ts";

/** What a sequence's part of a pass says about its rows. */
export type CrossPart = {
  readonly tokenIds: readonly number[];
  readonly startPosition: number;
  readonly pictures: readonly PictureStates[];
  readonly imagePositions: readonly number[];
};

export type CrossRows = {
  /** Rows of the pass that take part, ascending. */
  readonly rows: readonly number[];
  /** One for each of `rows`: 0 where the feed-forward update is dropped, else 1. */
  readonly mlpFactors: readonly number[];
  /** They cover `rows` in order. */
  readonly segments: readonly CrossSegment[];
};

/** Consecutive rows that see the same vision tokens. */
export type CrossSegment = {
  /** Index in `rows` of the first. */
  readonly firstRow: number;
  readonly numRows: number;
  readonly pictures: readonly { readonly states: PictureStates; readonly numTokens: number }[];
};

/**
 * @param maskedRows rows before the first picture: left out, or (Transformers) seeing every token
 *   that is kept of every picture, without the feed-forward update
 */
export function crossRows(parts: readonly CrossPart[], maskedRows: "zero" | "leak"): CrossRows {
  const rows: number[] = [];
  const mlpFactors: number[] = [];
  const segments: CrossSegment[] = [];
  let firstRowOfPart = 0;
  for (const part of parts) {
    const { startPosition, tokenIds, pictures } = part;
    const end = startPosition + tokenIds.length;
    const ranges =
      pictures.length === 0
        ? []
        : visibleRanges(part.imagePositions, { start: startPosition, end });
    for (const range of ranges) {
      const isMasked = range.pictures.length === 0;
      if (isMasked && maskedRows === "zero") continue;
      segments.push({
        firstRow: rows.length,
        numRows: range.end - range.start,
        pictures: isMasked
          ? pictures.map((states) => ({ states, numTokens: states.numStoredTokens }))
          : range.pictures.flatMap((index) => {
              const states = pictures[index];
              return states === undefined ? [] : [{ states, numTokens: states.numVisibleTokens }];
            }),
      });
      for (let position = range.start; position < range.end; position++) {
        rows.push(firstRowOfPart + position - startPosition);
        mlpFactors.push(isMasked ? 0 : 1);
      }
    }
    firstRowOfPart += tokenIds.length;
  }
  return { rows, mlpFactors, segments };
}
