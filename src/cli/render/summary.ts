/** The grey line under an answer: what became of the pictures, and how fast it went. */
import type { SeenImage } from "../answer-source.ts";

export type AnswerFacts = {
  /** `undefined` for a picture the model was not given. */
  readonly images: readonly (SeenImage | undefined)[];
  readonly numTokens: number;
  /** From the first piece of text to the last. */
  readonly decodeMs: number;
  readonly reason: "stop" | "length" | "cancelled";
};

/** @returns one line, without a line end */
export function renderSummary(
  { images, numTokens, decodeMs, reason }: AnswerFacts,
  names: readonly string[],
): string {
  const parts = images.flatMap((image, index) =>
    // An answer that was cut may not have told yet.
    image === undefined && reason === "cancelled"
      ? []
      : [describeImage(names[index] ?? "picture", image)],
  );
  // How many it was is not known of an answer that was cut.
  if (numTokens > 0 || reason !== "cancelled") parts.push(describeTokens(numTokens, decodeMs));
  if (reason === "length") parts.push("cut off at the token limit");
  if (reason === "cancelled") parts.push("stopped");
  return parts.join(" · ");
}

function describeImage(name: string, image: SeenImage | undefined): string {
  if (image === undefined) return `${name} not seen`;
  const { width, height, grid, cached, cachedIn, encodeMs } = image;
  const numTiles = grid.rows * grid.columns;
  const tiles = numTiles === 1 ? "1 tile" : `${numTiles} tiles (${grid.rows}×${grid.columns})`;
  const encoded = !cached
    ? `encoded in ${showMs(encodeMs)}`
    : cachedIn === "disk"
      ? `cached on disk, read in ${showMs(encodeMs)}`
      : "cached";
  return `${name} ${width}×${height}, ${tiles}, ${encoded}`;
}

function describeTokens(numTokens: number, decodeMs: number): string {
  const tokens = numTokens === 1 ? "1 token" : `${numTokens} tokens`;
  // The first token's time belongs to the prompt.
  if (numTokens < 3 || decodeMs <= 0) return tokens;
  return `${tokens}, ${showNumber(((numTokens - 1) * 1_000) / decodeMs)} tokens/s`;
}

function showMs(ms: number): string {
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.max(1, Math.round(ms))} ms`;
}

function showNumber(value: number): string {
  return value >= 10 ? `${Math.round(value)}` : value.toFixed(1);
}
