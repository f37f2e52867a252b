/** Async iterable → `application/x-ndjson`: one JSON object a line. */
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { httpLimits } from "./limits.ts";

/**
 * Stream `values`; the reader sets the pace. A failure under way becomes a last line, since the status
 * is long sent.
 *
 * @param toLine what a failure looks like in this dialect
 */
export function sendLines(
  reply: FastifyReply,
  values: AsyncIterable<object>,
  toLine: (error: unknown) => object,
): FastifyReply {
  loseStalledReader(reply.raw);
  return reply
    .type("application/x-ndjson")
    .header("cache-control", "no-cache, no-transform")
    .header("x-accel-buffering", "no")
    .send(Readable.from(lines(values, toLine), { objectMode: false }));
}

/** @yields one line each */
async function* lines(
  values: AsyncIterable<object>,
  toLine: (error: unknown) => object,
): AsyncGenerator<string, void> {
  try {
    for await (const value of values) yield `${JSON.stringify(value)}\n`;
  } catch (error) {
    yield `${JSON.stringify(toLine(error))}\n`;
  }
}

/** There is no heartbeat in this form, so silence alone is no sign: only bytes that nobody takes are. */
function loseStalledReader(raw: ServerResponse): void {
  raw.setTimeout(httpLimits.noProgressMs, () => {
    if (raw.writableLength > 0) raw.destroy();
    else loseStalledReader(raw);
  });
}
