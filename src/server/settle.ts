/** A failure at the very beginning of a stream still gets a status of its own. */

/** A refusal by the engine comes at once; encoding a picture may take longer, and need not be waited for. */
const graceMs = 1_000;

/**
 * What can be wrong with a request shows by then, a picture that is fetched too. Who still waits for their
 * turn gets the head of the answer, and the signs of life that follow it: proxies give up on silence.
 */
const patienceMs = 15_000;

/**
 * Wait until `events` has begun, so that what is wrong with a request is thrown here.
 *
 * The first event says that the prompt stands; the second, that the engine took it. Both waits are
 * bounded.
 *
 * @param options.signal ends `events` even when nobody ever reads what is returned
 * @returns all of `events`, the awaited ones included
 */
export async function settle<Event>(
  events: AsyncIterable<Event>,
  {
    signal,
    limitMs = graceMs,
    firstLimitMs = patienceMs,
  }: {
    readonly signal: AbortSignal;
    readonly limitMs?: number;
    readonly firstLimitMs?: number;
  },
): Promise<AsyncIterable<Event>> {
  const iterator = events[Symbol.asyncIterator]();
  const first = iterator.next();
  const begun = await Promise.race([first, delay(firstLimitMs, first)]);
  if (begun === undefined) {
    endOnAbort(iterator, signal);
    return rest([first], iterator);
  }
  if (begun.done === true) return none();
  const second = iterator.next();
  await Promise.race([second, delay(limitMs, second)]);
  endOnAbort(iterator, signal);
  return rest([first, second], iterator);
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

/** @param asked of the iterator already, in order */
async function* rest<Event>(
  asked: readonly Promise<IteratorResult<Event>>[],
  iterator: AsyncIterator<Event>,
): AsyncGenerator<Event, void> {
  try {
    for (const early of asked) {
      const next = await early;
      if (next.done === true) return;
      yield next.value;
    }
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Resolves after `limitMs`, or never when `other` settles first. */
function delay(limitMs: number, other: Promise<unknown>): Promise<undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), limitMs);
    const stop = (): void => clearTimeout(timer);
    other.then(stop, stop);
  });
}
