/** A failure at the very beginning of a stream still gets a status of its own. */

/** A refusal by the engine comes at once; encoding a picture may take longer, and need not be waited for. */
const graceMs = 1_000;

/**
 * Wait until `events` has begun, so that what is wrong with a request is thrown here.
 *
 * The first event says that the prompt stands; the second, that the engine took it. For the second
 * the wait is bounded.
 *
 * @param signal ends `events` even when nobody ever reads what is returned
 * @returns all of `events`, the awaited ones included
 */
export async function settle<Event>(
  events: AsyncIterable<Event>,
  { signal, limitMs = graceMs }: { readonly signal: AbortSignal; readonly limitMs?: number },
): Promise<AsyncIterable<Event>> {
  const iterator = events[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return none();
  const second = iterator.next();
  await Promise.race([second, delay(limitMs, second)]);
  endOnAbort(iterator, signal);
  return rest(first.value, second, iterator);
}

/** A generator that was never started does not end its source; a client may be gone before that. */
function endOnAbort(iterator: AsyncIterator<unknown>, signal: AbortSignal): void {
  const end = (): void => {
    iterator.return?.().catch(() => undefined);
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
}

async function* none(): AsyncGenerator<never, void> {}

async function* rest<Event>(
  first: Event,
  second: Promise<IteratorResult<Event>>,
  iterator: AsyncIterator<Event>,
): AsyncGenerator<Event, void> {
  try {
    yield first;
    for (let next = await second; next.done !== true; next = await iterator.next()) {
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Resolves after `limitMs`, or never when `other` settles first. */
function delay(limitMs: number, other: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs);
    const stop = (): void => clearTimeout(timer);
    other.then(stop, stop);
  });
}
