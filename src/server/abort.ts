import type { FastifyReply } from "fastify";
import { PlatformError } from "../base/errors.ts";

/** What is under way for a reply. */
const underWay = new WeakMap<FastifyReply, Set<AbortController>>();

/** Aborts when the client is gone before it has the whole answer, or is not to have it any more. */
export function abortedByClient(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const others = underWay.get(reply) ?? new Set();
  underWay.set(reply, others.add(controller));
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) {
      controller.abort(new PlatformError("cancelled", "The client hung up."));
    }
  });
  return controller.signal;
}

/** Stop what is under way for this reply; the client is told why. */
export function cutOff(reply: FastifyReply, why: PlatformError): void {
  for (const controller of underWay.get(reply) ?? []) controller.abort(why);
}
