/** Bounds the memory that bodies take together, however many requests arrive at once. */
import type { FastifyRequest } from "fastify";
import type { App } from "./http.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { httpLimits } from "./limits.ts";

export function limitBodiesInFlight(app: App): void {
  const reserved = new WeakMap<FastifyRequest, number>();
  let inFlight = 0;

  app.addHook("onRequest", async (request, reply) => {
    const sizeBytes = declaredSize(request);
    if (inFlight + sizeBytes > httpLimits.bodyBytesInFlight) {
      throw new HttpRefusal(503, "Too many large requests are under way. Try again in a moment.", {
        retryAfter: 1,
      });
    }
    inFlight += sizeBytes;
    reserved.set(request, sizeBytes);
    // "close" comes after an answer and after a broken connection, once.
    reply.raw.once("close", () => {
      inFlight -= reserved.get(request) ?? 0;
      reserved.delete(request);
    });
  });
}

/** A body of undeclared length may become as large as its route allows. */
function declaredSize({ headers, routeOptions }: FastifyRequest): number {
  if (routeOptions.config.isStreamedBody === true) return httpLimits.bodyBytes;
  const limit = routeOptions.bodyLimit ?? httpLimits.bodyBytes;
  const declared = headers["content-length"];
  if (declared !== undefined) return Math.min(Number(declared), limit);
  return headers["transfer-encoding"] === undefined ? 0 : limit;
}
