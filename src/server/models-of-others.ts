/** Models that a key may not ask are nothing it hears of. */
import type { FastifyReply } from "fastify";
import { PlatformError } from "../base/errors.ts";
import type { Principal } from "../identity/principal.ts";
import { noSuchModel } from "../supervisor/no-such-model.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { App } from "./http.ts";
import { needOfRequest } from "./route-permissions.ts";

/** Whether this principal may see and ask this model. */
export function mayAsk(uid: string, { models }: Principal): boolean {
  return models === undefined || models.includes(uid);
}

/** @throws PlatformError `forbidden` when this principal may not ask this model */
export function refuseOtherModels(uid: string, principal: Principal): void {
  if (mayAsk(uid, principal)) return;
  const { name } = principal;
  throw new PlatformError("forbidden", `Not enough permissions: ${name} may not ask "${uid}".`, {
    details: { param: "model" },
  });
}

/** All that is told of one model (`/v1/models/{uid}/…`), whether it runs or did, is for whoever may ask it. */
export function guardWhatIsToldOfModels(app: App, supervisor: Supervisor): void {
  app.addHook("preHandler", async (request) => {
    const { routeOptions, params, principal } = request;
    if (routeOptions.url?.startsWith("/v1/models/:uid/") !== true) return;
    if (!["models:read", "models:list"].includes(needOfRequest(request))) return;
    const { uid: name = "" } = params as { readonly uid?: string };
    refuseOtherModels(supervisor.find(name)?.uid ?? name, principal);
  });
}

/** An error that names the models there are, without those that whoever gets it may not ask. */
export function forEyesOf({ request: { principal } }: FastifyReply, error: unknown): unknown {
  // There is nobody yet when a request is refused before it is looked at.
  const isLimited = (principal as Principal | undefined)?.models !== undefined;
  if (!isLimited || !(error instanceof PlatformError)) return error;
  const { name, running } = error.details;
  if (typeof name !== "string" || !Array.isArray(running)) return error;
  const seen = running.filter((uid: string) => mayAsk(uid, principal));
  const { code, message, details } = noSuchModel(name, seen);
  return new PlatformError(code, message, { details: { ...error.details, ...details } });
}
