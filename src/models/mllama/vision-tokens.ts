/**
 * A picture's tokens as text sees them, between tower and cross-attention: how many they are, and in what they are kept.
 *
 * The products that follow round their operand to bfloat16 when the weight is of that type, so bfloat16 loses nothing
 * there, and next to a quantized weight hardly anything. Next to float32 weights they stay in float32.
 */
import type { MllamaModel } from "./mllama-model.ts";

export type TokenDtype = "f32" | "bf16";

export function tokenDtype({ weights }: Pick<MllamaModel, "weights">): TokenDtype {
  const isFloat32 = weights.text.layers.some(
    (layer) => layer.type === "cross" && layer.attention.key.dtype === "f32",
  );
  return isFloat32 ? "f32" : "bf16";
}

/** Of a picture of `numTiles`: those of real tiles, and for profile `hf` those of unused ones too. */
export function countStoredTokens(
  { config, switches }: Pick<MllamaModel, "config" | "switches">,
  numTiles: number,
): number {
  const { maxTiles, tokensPerTile } = config.vision;
  return (switches.maskedRows === "leak" ? maxTiles : numTiles) * tokensPerTile;
}

/** Bytes of a picture's tokens. */
export function tokenBytes(
  model: Pick<MllamaModel, "config" | "switches" | "weights">,
  numTiles: number,
): number {
  const bytesPerElement = tokenDtype(model) === "f32" ? 4 : 2;
  return countStoredTokens(model, numTiles) * model.config.text.hiddenSize * bytesPerElement;
}

/** @param numbers those of `dtype`, as float32 */
export function packTokens(numbers: Float32Array, dtype: TokenDtype): Uint8Array<ArrayBuffer> {
  if (dtype === "f32") return new Uint8Array(numbers.slice().buffer);
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) halves[i] = (words[i] ?? 0) >>> 16;
  return new Uint8Array(halves.buffer);
}

/** What a graph takes as its input. */
export function tokensAsInput(
  { buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>,
  dtype: TokenDtype,
): Float32Array | Uint16Array {
  return dtype === "f32"
    ? new Float32Array(buffer, byteOffset, byteLength / 4)
    : new Uint16Array(buffer, byteOffset, byteLength / 2);
}
