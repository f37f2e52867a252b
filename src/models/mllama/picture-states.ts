/**
 * A picture as text sees it: keys and values of every cross-attention layer.
 *
 * They depend on the picture alone, not on text, position or other pictures, so they are computed
 * once and shared by every request that contains the picture.
 */
import type { Tensor } from "../../ggml/tensor.ts";

/** Keys and values of one layer, one row a token or cell: `[numRows, numKvHeads · headSize]`. */
export type KvLayer = { readonly key: Tensor; readonly value: Tensor };

export interface PictureStates extends Disposable {
  /** Tokens of real tiles, which come first: what text after the picture sees. */
  readonly numVisibleTokens: number;
  /** All that is kept; more than the visible ones only for profile `hf`. */
  readonly numStoredTokens: number;
  readonly sizeBytes: number;
  /** `[numStoredTokens, numKvHeads · headSize]` each. */
  layer(layerIndex: number): KvLayer;
}
