/** Which tensors are used where they lie, which are widened and kept, and which become one number. */

/** A gate: one number, whose `tanh` is taken once. */
export const isGate = (name: string): boolean => /(^|[._])gate(_attn|_ffn)?$/.test(name);

/** The small tables of one vector per tile slot, before and after the local encoder. */
export const isTileEmbedding = (name: string): boolean =>
  name.endsWith("_tile_positional_embedding.embedding.weight");

/** Mapped in place, at the file's own dtype; everything else but gates is a vector in float32. */
export const isMatrix = (name: string, shape: readonly number[]): boolean =>
  shape.length > 1 && !isTileEmbedding(name);

/** Only ever the weight of a product, or rows that are looked up: it may lie in blocks of few bits. */
export const mayBeQuantized = (name: string, shape: readonly number[]): boolean =>
  isMatrix(name, shape) && !/patch_embedding|positional_embedding/.test(name);
