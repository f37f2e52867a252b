/** Values from a producer that cannot wait to one consumer that can. Ends once, throws once. */
export class AsyncQueue<Value> implements AsyncIterable<Value> {
  readonly #values: Value[] = [];
  #end: { readonly error: unknown } | "open" | "done" = "open";
  #wake: (() => void) | undefined;

  push(value: Value): void {
    if (this.#end !== "open") return;
    this.#values.push(value);
    this.#wake?.();
  }

  end(): void {
    if (this.#end === "open") this.#end = "done";
    this.#wake?.();
  }

  fail(error: unknown): void {
    if (this.#end === "open") this.#end = { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Value, void> {
    while (true) {
      for (const value of this.#values.splice(0)) yield value;
      if (this.#values.length > 0) continue;
      if (this.#end === "done") return;
      if (this.#end !== "open") throw this.#end.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
