/**
 * What the cells of a KV block depend on, as a key: equal keys, equal contents.
 *
 * Keys and values of a token follow from it and the tokens before it and, through the cross-attention layers, from
 * the pictures whose image tokens stand among them. So a block's key covers its tokens, the pictures at its
 * image tokens, and the key of the block before it.
 */
import { createHash } from "node:crypto";
import type { EnginePrompt, Picture } from "../../generation/engine-prompt.ts";

export class BlockKeys {
  readonly #blockSize: number;
  readonly #pictureAt: ReadonlyMap<number, Picture>;
  readonly #tokensFrom: (start: number, count: number) => readonly number[];
  readonly #keys: string[] = [];

  /** @param tokensFrom of the sequence; those that it gave before never change */
  constructor(parts: {
    readonly blockSize: number;
    readonly prompt: EnginePrompt;
    readonly imagePositions: readonly number[];
    readonly tokensFrom: (start: number, count: number) => readonly number[];
  }) {
    this.#blockSize = parts.blockSize;
    this.#tokensFrom = parts.tokensFrom;
    const { pictures } = parts.prompt;
    this.#pictureAt = new Map(
      parts.imagePositions.flatMap((position, index) => {
        const picture = pictures[index];
        return picture === undefined ? [] : [[position, picture] as const];
      }),
    );
  }

  /** Of the first `count` blocks, which must be full of tokens. */
  first(count: number): readonly string[] {
    while (this.#keys.length < count) this.#keys.push(this.#next());
    return this.#keys.slice(0, count);
  }

  #next(): string {
    const start = this.#keys.length * this.#blockSize;
    const hash = createHash("sha256").update(this.#keys.at(-1) ?? "");
    hash.update(Uint32Array.from(this.#tokensFrom(start, this.#blockSize)));
    for (let at = start; at < start + this.#blockSize; at++) {
      const picture = this.#pictureAt.get(at);
      if (picture !== undefined) hash.update(`${at}:${pictureKey(picture)};`);
    }
    return hash.digest("base64");
  }
}

/** Fitted into fewer tiles, a picture is another one. */
export function pictureKey({ contentHash, maxTiles }: Picture): string {
  return `${contentHash}/${maxTiles ?? "all"}`;
}
