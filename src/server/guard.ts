/**
 * What every request must pass before it is routed to any work: one `Host` that is ours, no foreign
 * page behind it, headers within their limits, no compressed body.
 *
 * These rules hold on loopback too: a web page may send requests to this machine, under a name that
 * its owner points here.
 */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { PlatformError } from "../base/errors.ts";
import type { App } from "./http.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { httpLimits } from "./limits.ts";

/** Headers that decide something: twice means two readers may disagree, so it is refused. */
const singleHeaders = ["host", "authorization", "x-api-key", "origin", "content-type"] as const;

const loopbackNames: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** @param ownNames further names, without port, that requests may be addressed to */
export function guardEveryRequest(app: App, ownNames: readonly string[] = []): void {
  const names = new Set([...loopbackNames, ...ownNames.map((name) => name.toLowerCase())]);
  app.addHook("onRequest", async (request) => {
    refuseOddHeaders(request.raw);
    refuseForeignHost(request.raw, names);
    if (request.routeOptions.config.isPublicProbe !== true) refuseForeignPage(request);
  });
}

function refuseOddHeaders(request: IncomingMessage): void {
  const names = headerNames(request);
  if (names.length > httpLimits.numHeaders) {
    throw new HttpRefusal(
      431,
      `The request has ${names.length} headers; the most is ${httpLimits.numHeaders}.`,
    );
  }
  const twice = singleHeaders.find((header) => names.indexOf(header) !== names.lastIndexOf(header));
  if (twice !== undefined) {
    throw new HttpRefusal(400, `The header "${twice}" comes more than once. Send it once.`);
  }
  const url = request.url ?? "";
  if (Buffer.byteLength(url) > httpLimits.urlBytes) {
    throw new HttpRefusal(414, `The address is longer than ${httpLimits.urlBytes} bytes.`);
  }
  if (!url.startsWith("/")) {
    throw new HttpRefusal(400, "The request line must hold a path that begins with a slash.");
  }
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new HttpRefusal(415, "The body is compressed. Send it as it is.");
  }
  if (/websocket/i.test(request.headers.upgrade ?? "")) {
    throw new HttpRefusal(
      400,
      "There is no web socket here; answers stream as server-sent events.",
    );
  }
}

function refuseForeignHost({ headers }: IncomingMessage, names: ReadonlySet<string>): void {
  const host = headers.host?.toLowerCase() ?? "";
  if (!names.has(host.replace(/:\d{1,5}$/, ""))) {
    throw new HttpRefusal(
      421,
      "The Host header names another machine. Address this server as localhost or 127.0.0.1.",
    );
  }
}

function refuseForeignPage({ headers }: FastifyRequest): void {
  const { origin, host } = headers;
  const isForeign =
    (origin !== undefined && origin.toLowerCase() !== `http://${host?.toLowerCase()}`) ||
    headers["sec-fetch-site"] === "cross-site";
  if (isForeign) {
    throw new PlatformError(
      "forbidden",
      "The request comes from a web page of another origin, which this server does not answer.",
    );
  }
}

function headerNames({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
}
