import { AsyncLocalStorage } from "node:async_hooks";
import type { FastifyReply } from "fastify";
import { PlatformError } from "../base/errors.ts";
import type { Owner } from "../base/viewer.ts";

/** What is under way for a reply. */
const underWay = new WeakMap<FastifyReply, Set<AbortController>>();

/**
 * Of a request that this program asks itself: it has no connection that could be closed, and what injects it stops looking
 * at its signal once the request's body is read. No header could carry whose it is without being believed of others.
 */
type OwnRequest = { readonly signal: AbortSignal; readonly owner: Owner };
const ownRequest = new AsyncLocalStorage<OwnRequest>();

/** Ask the program itself, by `ask`, in the name of `owner`, until `signal` aborts. */
export async function askItself<Reply>(
  request: OwnRequest,
  ask: () => Promise<Reply>,
): Promise<Reply> {
  return await ownRequest.run(request, ask);
}

/** Whose the request is that this program asks itself. */
export function ownerOfOwnRequest(): Owner {
  const request = ownRequest.getStore();
  if (request === undefined) throw new Error("nobody asks but askItself");
  return request.owner;
}

/** Aborts when the client is not to have the answer any more, by `cutOff`; it may have hung up. */
export function abortedByServer(reply: FastifyReply): AbortSignal {
  return controllerFor(reply).signal;
}

function controllerFor(reply: FastifyReply): AbortController {
  const controller = new AbortController();
  const others = underWay.get(reply) ?? new Set();
  underWay.set(reply, others.add(controller));
  return controller;
}

/** Aborts when the client is gone before it has the whole answer, or is not to have it any more. */
export function abortedByClient(reply: FastifyReply): AbortSignal {
  const controller = controllerFor(reply);
  const hangUp = (): void => {
    if (!reply.raw.writableFinished) {
      controller.abort(new PlatformError("cancelled", "The client hung up."));
    }
  };
  // It may have gone while the request was read.
  if (reply.raw.closed) hangUp();
  else reply.raw.once("close", hangUp);
  const own = ownRequest.getStore()?.signal;
  return own === undefined ? controller.signal : AbortSignal.any([controller.signal, own]);
}

/** Stop what is under way for this reply; the client is told why. */
export function cutOff(reply: FastifyReply, why: PlatformError): void {
  for (const controller of underWay.get(reply) ?? []) controller.abort(why);
}
