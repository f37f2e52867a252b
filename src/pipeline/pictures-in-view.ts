import type { TokenId } from "../base/ids.ts";

/**
 * Which pictures the end of a prompt looks at: the latest group of consecutive image tokens.
 *
 * The answer's tokens look where the last row of the prompt does. Earlier pictures reach them only
 * through what earlier text took from them.
 *
 * @returns one for each image token, in order
 * @see Transformers `processing_mllama.py`, `get_cross_attention_token_mask`
 */
export function picturesInView(tokenIds: readonly TokenId[], imageTokenId: TokenId): boolean[] {
  const inView: boolean[] = [];
  let isInGroup = true;
  for (let row = tokenIds.lastIndexOf(imageTokenId); row >= 0; row--) {
    if (tokenIds[row] === imageTokenId) inView.push(isInGroup);
    else isInGroup = false;
  }
  return inView.reverse();
}
