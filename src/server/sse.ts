/** Async iterable → `text/event-stream`: one JSON object an event, heartbeats, an end or an error. */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { Logger } from "../base/logger.ts";
import { toHttpError } from "./error-reply.ts";
import { httpLimits } from "./limits.ts";

/**
 * Stream `values`. The reader sets the pace: nothing is produced that the connection cannot take.
 *
 * A failure under way becomes a last event `{"error": …}`, since the status is long sent.
 */
export function sendEventStream(
  reply: FastifyReply,
  values: AsyncIterable<object>,
  log: Logger,
): FastifyReply {
  return sendText(reply, frames(values, log));
}

/**
 * Stream events that carry their name, as Anthropic's do. A failure under way becomes a last event.
 *
 * @param toErrorEvent what a failure looks like in this dialect
 */
export function sendNamedEvents(
  reply: FastifyReply,
  events: AsyncIterable<NamedEvent>,
  toErrorEvent: (error: unknown) => NamedEvent,
): FastifyReply {
  return sendText(reply, namedFrames(events, toErrorEvent));
}

type NamedEvent = { readonly type: string };

function sendText(reply: FastifyReply, text: AsyncIterable<string>): FastifyReply {
  reply.raw.setTimeout(httpLimits.noProgressMs, () => reply.raw.destroy());
  return reply
    .type("text/event-stream; charset=utf-8")
    .header("cache-control", "no-cache, no-transform")
    .header("x-accel-buffering", "no")
    .send(Readable.from(withHeartbeat(text, httpLimits.heartbeatMs), { objectMode: false }));
}

/** @yields the text of one event each, its name first */
export async function* namedFrames(
  events: AsyncIterable<NamedEvent>,
  toErrorEvent: (error: unknown) => NamedEvent,
): AsyncGenerator<string, void> {
  const named = (event: NamedEvent): string => `event: ${event.type}\n${frame(event)}`;
  try {
    for await (const event of events) yield named(event);
  } catch (error) {
    yield named(toErrorEvent(error));
  }
}

/** @yields the text of one event each */
export async function* frames(
  values: AsyncIterable<object>,
  log: Logger,
): AsyncGenerator<string, void> {
  try {
    for await (const value of values) yield frame(value);
    yield "data: [DONE]\n\n";
  } catch (error) {
    yield frame(toHttpError(error, log).body);
  }
}

/** JSON has no raw line breaks, so one `data:` line always holds a whole object. */
function frame(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** Put a comment, which readers skip, wherever `source` is silent for `intervalMs`. */
export async function* withHeartbeat(
  source: AsyncIterable<string>,
  intervalMs: number,
): AsyncGenerator<string, void> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (let next = iterator.next(); ; ) {
      const result = await Promise.race([next, silence(next, intervalMs)]);
      if (result === undefined) {
        yield ": still here\n\n";
        continue;
      }
      if (result.done === true) return;
      yield result.value;
      next = iterator.next();
    }
  } finally {
    await iterator.return?.();
  }
}

/** Resolves to `undefined` after `intervalMs`, unless `next` settles first. */
function silence(next: Promise<unknown>, intervalMs: number): Promise<undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), intervalMs);
    const stop = (): void => clearTimeout(timer);
    next.then(stop, stop);
  });
}
