/**
 * What every request must pass before it is routed to any work: one `Host` that is ours, no foreign
 * page behind it, headers within their limits, no compressed body.
 *
 * These rules hold on loopback too: a web page may send requests to this machine, under a name that
 * its owner points here.
 */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";
import { PlatformError } from "../base/errors.ts";
import type { App } from "./http.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { httpLimits } from "./limits.ts";

/** Headers that decide something: twice means two readers may disagree, so it is refused. */
const singleHeaders = [
  "host",
  "authorization",
  "x-api-key",
  "api-key",
  "origin",
  "content-type",
] as const;

const loopbackNames: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

export type Neighbours = {
  /** Names, without port, that requests may be addressed to beside the machine's own. */
  readonly ownNames?: readonly string[] | undefined;
  /** Whether other machines reach this server: then an address is a name of it, whichever it is. */
  readonly isReachable?: boolean | undefined;
  /** Origins whose pages may ask, in small letters. */
  readonly origins?: ReadonlySet<string> | undefined;
};

/** Must stand before whatever decides by a header. */
export function guardEveryRequest(app: App, { origins = new Set() }: Neighbours = {}): void {
  app.addHook("onRequest", async (request) => {
    refuseOddHeaders(request.raw);
    if (request.routeOptions.config.isPublicProbe !== true) refuseForeignPage(request, origins);
  });
}

/**
 * Must stand behind the authentication: who has a key may use any name, since no web page can make a
 * browser send one. A probe may come under any name from where other machines are let in.
 */
export function refuseForeignHosts(
  app: App,
  { ownNames = [], isReachable = false }: Neighbours = {},
): void {
  const names = new Set([...loopbackNames, ...ownNames.map((name) => name.toLowerCase())]);
  app.addHook("onRequest", async ({ raw, principal, routeOptions }) => {
    const host = raw.headers.host?.toLowerCase().replace(/:\d{1,5}$/, "") ?? "";
    if (names.has(host)) return;
    const isKnown = principal.kind !== "anonymous";
    const isProbe = isReachable && routeOptions.config.isPublicProbe === true;
    if ((isKnown || isProbe) && /^[a-z0-9.-]+$|^\[[0-9a-f:.]+\]$/.test(host)) return;
    // No name can be made to point here by its owner when it is none.
    if (isReachable && isIP(host.replace(/^\[|\]$/g, "")) !== 0) return;
    throw new HttpRefusal(
      421,
      "The Host header names another machine. Address this server as localhost or 127.0.0.1, or start it with --server-name.",
    );
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

function refuseForeignPage({ headers }: FastifyRequest, origins: ReadonlySet<string>): void {
  const origin = headers.origin?.toLowerCase();
  if (origin !== undefined && origins.has(origin)) return;
  // A proxy in front may speak TLS.
  const isOwn = origin?.replace(/^https?:/, "") === `//${headers.host?.toLowerCase()}`;
  if ((origin === undefined || isOwn) && headers["sec-fetch-site"] !== "cross-site") return;
  throw new PlatformError(
    "forbidden",
    "The request comes from a web page of another origin, which this server does not answer.",
  );
}

function headerNames({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
}
