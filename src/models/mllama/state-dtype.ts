/** What keys and values are kept in: those of text in the KV cache, and those of pictures. */
import { dtypeTraits } from "../../ggml/dtype.ts";

export const stateDtypes = ["f32", "f16", "q8_0"] as const;

/** `q8_0`: eight bits a number, and a common factor in f16 for each 32 of them. */
export type StateDtype = (typeof stateDtypes)[number];

export function isStateDtype(text: unknown): text is StateDtype {
  return stateDtypes.some((dtype) => dtype === text);
}

/** Bytes of a number, on average. */
export function bytesPerNumber(dtype: StateDtype): number {
  const { blockBytes, blockLength } = dtypeTraits[dtype];
  return blockBytes / blockLength;
}

/** Whether the heads of a model are whole blocks of it. */
export function fitsHeads(dtype: StateDtype, headSize: number): boolean {
  return headSize % dtypeTraits[dtype].blockLength === 0;
}

/** For what is no more than passed on inside the tower, where eight bits would save nothing that lasts. */
export function towerDtype(dtype: StateDtype): "f32" | "f16" {
  return dtype === "f32" ? "f32" : "f16";
}
