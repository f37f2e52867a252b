/** A child's log in lines, of which only so much is kept as anybody is shown. */

export class LogLines {
  readonly #onLine: (line: string) => void;
  readonly #maxLength: number;
  /** The line so far. */
  #open = "";
  /** The line was long enough to be shown before its end; what remains of it is dropped. */
  #isCut = false;

  /** @param onLine is given a line without its break, and a long one's first `maxLength` characters at once */
  constructor(onLine: (line: string) => void, maxLength: number) {
    this.#onLine = onLine;
    this.#maxLength = maxLength;
  }

  push(text: string): void {
    let start = 0;
    for (;;) {
      const end = text.indexOf("\n", start);
      this.#extend(text.slice(start, end === -1 ? undefined : end));
      if (end === -1) return;
      this.#endLine();
      start = end + 1;
    }
  }

  /** The log has ended, perhaps in the middle of a line. */
  end(): void {
    if (this.#open !== "") this.#endLine();
  }

  #extend(part: string): void {
    if (this.#isCut) return;
    // One more than is shown, for the break's "\r".
    this.#open += part.slice(0, this.#maxLength + 1 - this.#open.length);
    if (this.#open.length <= this.#maxLength) return;
    this.#isCut = true;
    this.#onLine(this.#open.slice(0, this.#maxLength));
    this.#open = "";
  }

  #endLine(): void {
    if (!this.#isCut) this.#onLine(this.#open.replace(/\r$/, ""));
    this.#open = "";
    this.#isCut = false;
  }
}
