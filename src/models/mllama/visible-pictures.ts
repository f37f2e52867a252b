/**
 * Which pictures each row of a prompt can see through cross-attention. Pure.
 *
 * @see mllama processing: Transformers `get_cross_attention_token_mask`, Meta `create_vision_mask`
 */

/** Rows `[start, end)` of the sequence that see the same pictures. */
export type VisibleRange = {
  readonly start: number;
  readonly end: number;
  /** Indices of the pictures seen, ascending and consecutive; empty before the first picture. */
  readonly pictures: readonly number[];
};

/**
 * A row sees the latest group of consecutive pictures, as far as it has been read.
 *
 * Rows from `promptLength` on (generated tokens) see what the last prompt row sees. An image
 * token's own row sees its picture.
 *
 * @param imagePositions positions of the image tokens, ascending
 * @param range rows to answer for
 * @returns ranges that cover `[range.start, range.end)` in order, without empty ones
 */
export function visibleRanges(
  imagePositions: readonly number[],
  range: { readonly start: number; readonly end: number },
): VisibleRange[] {
  const ranges: VisibleRange[] = [];
  const push = (start: number, end: number, pictures: readonly number[]): void => {
    const [from, to] = [Math.max(start, range.start), Math.min(end, range.end)];
    if (from < to) ranges.push({ start: from, end: to, pictures });
  };

  push(0, imagePositions[0] ?? Number.POSITIVE_INFINITY, []);
  let group: number[] = [];
  imagePositions.forEach((position, picture) => {
    const follows = imagePositions[picture - 1] === position - 1;
    group = follows ? [...group, picture] : [picture];
    push(position, imagePositions[picture + 1] ?? Number.POSITIVE_INFINITY, group);
  });
  return ranges;
}
