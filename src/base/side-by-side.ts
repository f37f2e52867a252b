/** Several streams as one: what each of them says, as it comes. */

/** What one of several streams said, by its number. */
export type FromOne<Value> = { readonly index: number; readonly value: Value };

/**
 * Read several streams at the same time. Leaving the loop, or a failure of one, ends all of them.
 *
 * @param start begins the stream of that number; it is called when its turn comes
 * @param options.width how many are read at the same time; all when absent
 */
export async function* sideBySide<Value>(
  start: (index: number) => AsyncIterable<Value>,
  numStreams: number,
  { width = numStreams }: { readonly width?: number } = {},
): AsyncGenerator<FromOne<Value>, void> {
  const streams = new Map<number, AsyncIterator<Value>>();
  const pending = new Map<number, Promise<Step<Value>>>();
  const ask = (index: number, stream: AsyncIterator<Value>): void => {
    pending.set(
      index,
      stream.next().then((result) => ({ index, result })),
    );
  };
  let numStarted = 0;
  const startNext = (): void => {
    if (numStarted >= numStreams) return;
    const index = numStarted++;
    const stream = start(index)[Symbol.asyncIterator]();
    streams.set(index, stream);
    ask(index, stream);
  };
  try {
    while (numStarted < Math.min(width, numStreams)) startNext();
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      const stream = streams.get(index);
      if (result.done === true || stream === undefined) {
        pending.delete(index);
        streams.delete(index);
        startNext();
        continue;
      }
      ask(index, stream);
      yield { index, value: result.value };
    }
  } finally {
    for (const failed of pending.values()) failed.catch(() => undefined);
    await Promise.all([...streams.values()].map(async (stream) => await stream.return?.()));
  }
}

type Step<Value> = { readonly index: number; readonly result: IteratorResult<Value> };
