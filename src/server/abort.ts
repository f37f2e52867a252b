import type { FastifyReply } from "fastify";
import { PlatformError } from "../base/errors.ts";

/** Aborts when the client is gone before it has the whole answer. */
export function abortedByClient(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) {
      controller.abort(new PlatformError("cancelled", "The client hung up."));
    }
  });
  return controller.signal;
}
