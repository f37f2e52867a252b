/**
 * Who asks, and may they: before a body is read, on every route, in one place.
 *
 * The key comes in a header, never in an address. Whoever has sent wrong ones too often waits; a right
 * one is let through all the same, since 256 bits cannot be guessed and neighbours share addresses.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { nobody, type Viewer } from "../base/viewer.ts";
import type { Identity } from "../identity/identity.ts";
import { allows } from "../identity/permissions.ts";
import { anonymous, type Principal } from "../identity/principal.ts";
import type { Admission } from "../identity/usage-limits.ts";
import { viewerOf } from "../identity/viewer-of.ts";
import type { EventLog } from "../state/event-log.ts";
import { cutOff, ownerOfOwnRequest } from "./abort.ts";
import type { App } from "./http.ts";
import { isForPasswordChange, isWork, needOfRequest, type RouteNeed } from "./route-permissions.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks. */
    principal: Principal;
    /** The login that its token belongs to. */
    sessionId: string | undefined;
    /** Whether that login may do nothing but get its account another password. */
    mustChangePassword: boolean;
    /** Whose kept things it may name. */
    viewer: Viewer;
    /** What a known principal's request takes is counted here, on routes that ask models. */
    admission: Admission | undefined;
  }
  interface FastifyContextConfig {
    /** What the route needs, when the table does not say it. */
    readonly need?: RouteNeed;
  }
}

/** Answers under way end within this time when their key is revoked. */
const recheckMs = 20_000;

type Services = {
  readonly identity: Identity;
  readonly events: EventLog;
  readonly log: Logger;
  /** Asked by this program alone, in the name of somebody who was asked for a key before. */
  readonly isInternal?: boolean;
};

export function authenticateEveryRequest(
  app: App,
  { identity, events, log, isInternal = false }: Services,
): void {
  const open = new Map<FastifyRequest, FastifyReply>();
  app.decorateRequest("principal");
  app.decorateRequest("sessionId");
  app.decorateRequest("mustChangePassword", false);
  app.decorateRequest("viewer");
  app.decorateRequest("admission");
  const { authenticator } = identity;
  const identifyAgain = isInternal
    ? async ({ viewer }: FastifyRequest) => await authenticator.identifyOwner(viewer.owner)
    : async (request: FastifyRequest) =>
        (await authenticator.identify(credentialOf(request))).principal;

  app.addHook("onRequest", async (request, reply) => {
    request.principal = anonymous;
    request.viewer = nobody;
    const need = needOfRequest(request);
    if (request.is404 || need === "public") return;
    if (isInternal) request.principal = await authenticator.identifyOwner(ownerOfOwnRequest());
    else await identify(request, reply, identity);
    request.viewer = viewerOf(request.principal, authenticator.isRequired);
    refuseBeforePasswordChange(request);
    refuseWithout(need, request.principal);
  });
  app.addHook("onRequest", async (request, reply) => {
    const { principal, is404 } = request;
    if (is404 || principal.kind === "anonymous" || needOfRequest(request) !== "models:read") return;
    const admission = await identity.usage.admit(principal, {
      isWork: isWork(request),
      // What goes on in the background ends with its key too.
      onEnd: () => open.delete(request),
    });
    request.admission = admission;
    open.set(request, reply);
    reply.raw.once("close", () => admission[Symbol.dispose]());
  });
  app.addHook("onResponse", async (request, reply) => {
    if (!isManagement(request)) return;
    const { method, routeOptions, principal, id: requestId } = request;
    const details = { method, route: routeOptions.url, status: reply.statusCode, requestId };
    await events
      .add({ type: "admin-request", actor: principal.name, details })
      .catch((error: unknown) => log.error({ err: error }, "event-not-kept"));
  });

  const recheck = setInterval(() => void endRevoked(open, identifyAgain), recheckMs).unref();
  app.addHook("onClose", async () => clearInterval(recheck));
}

/** @throws PlatformError `unauthenticated`, `rate_limited` */
async function identify(
  request: FastifyRequest,
  reply: FastifyReply,
  { authenticator, throttle }: Identity,
): Promise<void> {
  try {
    const known = await authenticator.identify(credentialOf(request));
    request.principal = known.principal;
    request.sessionId = known.sessionId;
    request.mustChangePassword = known.mustChangePassword === true;
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== "unauthenticated") throw error;
    throttle.refuseBlocked(request.ip);
    if (hasCredential(request)) throttle.failed(request.ip);
    reply.header("www-authenticate", "Bearer");
    throw error;
  }
}

/** @throws PlatformError `password_change_required` */
function refuseBeforePasswordChange(request: FastifyRequest): void {
  const { method, routeOptions, principal, mustChangePassword } = request;
  if (!mustChangePassword || isForPasswordChange(method, routeOptions.url ?? "")) return;
  throw new PlatformError(
    "password_change_required",
    `${principal.name} must change its password before anything else: atalaya login --username ${principal.name} --change-password, or POST /v1/auth/password with "old_password" and "new_password". Its reply has a token that may do everything again.`,
  );
}

/** @throws PlatformError `forbidden` */
function refuseWithout(need: Exclude<RouteNeed, "public">, principal: Principal): void {
  if (need === "known" || allows(principal.permissions, need)) return;
  throw new PlatformError(
    "forbidden",
    `Not enough permissions: this needs ${need}, and ${principal.name} has ${principal.permissions.join(", ") || "none"}.`,
  );
}

const headers = ["authorization", "x-api-key", "api-key"] as const;

function hasCredential(request: FastifyRequest): boolean {
  return headers.some((name) => request.headers[name] !== undefined);
}

/**
 * OpenAI's clients send `authorization: Bearer`, Anthropic's `x-api-key`, Azure's `api-key`; some two of
 * them at once.
 */
function credentialOf(request: FastifyRequest): string | undefined {
  const given = headers.flatMap((name) => {
    const value = request.headers[name];
    if (typeof value !== "string" || value === "") return [];
    return name === "authorization" ? [/^Bearer +(\S+) *$/i.exec(value)?.[1] ?? ""] : [value];
  });
  const [first] = given;
  // Of two that differ neither is believed.
  return given.every((one) => one === first) ? first : "";
}

/** Whatever changes something, but asking a model. */
function isManagement(request: FastifyRequest): boolean {
  if (request.is404 || ["GET", "HEAD", "OPTIONS"].includes(request.method)) return false;
  const need = needOfRequest(request);
  return !["public", "known", "models:read", "models:list"].includes(need);
}

async function endRevoked(
  open: ReadonlyMap<FastifyRequest, FastifyReply>,
  identifyAgain: (request: FastifyRequest) => Promise<Principal>,
): Promise<void> {
  for (const [request, reply] of open) {
    const known = await identifyAgain(request).catch((error: unknown) => {
      const isOver = error instanceof PlatformError && error.code === "unauthenticated";
      return isOver ? undefined : request.principal;
    });
    if (known?.id === request.principal.id) continue;
    const why = "The key or login that asked is revoked or has expired.";
    cutOff(reply, new PlatformError("unauthenticated", why));
  }
}
