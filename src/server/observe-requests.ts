/** Every request gets an id, a span, a line in the log and its place in the metrics; never what was in it. */

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import {
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { FastifyRequest } from "fastify";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { App } from "./http.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The request's span, for what is done on its behalf. */
    traceContext: Context;
  }
}

/** What a client calls its request, when that is a plain word; else a name of ours. */
export function requestIdOf({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  const isPlain = typeof given === "string" && /^[\w.:-]{1,64}$/.test(given);
  return isPlain ? given : `req_${randomUUID().replaceAll("-", "")}`;
}

const spans = new WeakMap<FastifyRequest, Span>();

export function observeRequests(
  app: App,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): void {
  app.decorateRequest("traceContext");
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    const parent = propagation.extract(context.active(), request.headers);
    const route = routeOf(request);
    const span = trace.getTracer("atalaya").startSpan(
      `${request.method} ${route}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          "http.request.method": request.method,
          "http.route": route,
          "atalaya.request_id": request.id,
        },
      },
      parent,
    );
    spans.set(request, span);
    request.traceContext = trace.setSpan(parent, span);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { id, method } = request;
    const { statusCode: status, elapsedTime } = reply;
    const route = routeOf(request);
    metrics.http({ method, route, status, seconds: elapsedTime / 1_000 });
    log.info(
      { requestId: id, method, route, status, durationMs: Math.round(elapsedTime) },
      "request",
    );
    const span = spans.get(request);
    span?.setAttribute("http.response.status_code", status);
    if (status >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
  });
}

/** Its pattern: an address may hold a name, and would be a series of its own. */
function routeOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? "none";
}
