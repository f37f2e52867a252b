import { AsyncLocalStorage } from "node:async_hooks";
import type { FastifyReply } from "fastify";
import { PlatformError } from "../base/errors.ts";

/** What is under way for a reply. */
const underWay = new WeakMap<FastifyReply, Set<AbortController>>();

/**
 * Of a request that this program asks itself: it has no connection that could be closed, and what injects it stops looking
 * at its signal once the request's body is read.
 */
const ownSignal = new AsyncLocalStorage<AbortSignal>();

/** Ask the program itself, by `ask`, until `signal` aborts. */
export async function askItself<Reply>(
  signal: AbortSignal,
  ask: () => Promise<Reply>,
): Promise<Reply> {
  return await ownSignal.run(signal, ask);
}

/** Aborts when the client is gone before it has the whole answer, or is not to have it any more. */
export function abortedByClient(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const others = underWay.get(reply) ?? new Set();
  underWay.set(reply, others.add(controller));
  const hangUp = (): void => {
    if (!reply.raw.writableFinished) {
      controller.abort(new PlatformError("cancelled", "The client hung up."));
    }
  };
  // It may have gone while the request was read.
  if (reply.raw.closed) hangUp();
  else reply.raw.once("close", hangUp);
  const own = ownSignal.getStore();
  return own === undefined ? controller.signal : AbortSignal.any([controller.signal, own]);
}

/** Stop what is under way for this reply; the client is told why. */
export function cutOff(reply: FastifyReply, why: PlatformError): void {
  for (const controller of underWay.get(reply) ?? []) controller.abort(why);
}
