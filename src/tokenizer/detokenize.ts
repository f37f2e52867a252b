/**
 * Token bytes become text as they arrive.
 *
 * A character may be spread over several tokens, so bytes wait until they make a whole one: no piece
 * of text ever ends in half a character. Bytes that can make none become U+FFFD, as they would if
 * they had come all at once.
 */
export class Detokenizer {
  /** U+FEFF is text here, not a mark to be dropped. */
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /** @returns the text that is whole by now, perhaps none */
  push(bytes: Uint8Array): string {
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** @returns what half characters are left over, as U+FFFD */
  end(): string {
    return this.#decoder.decode();
  }
}
