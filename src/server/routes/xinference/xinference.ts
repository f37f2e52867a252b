/** Xinference's management API: everything its clients call beside the asking itself, which is OpenAI's. */
import type { IncomingMessage } from "node:http";
import type { App } from "../../http.ts";
import { audit } from "./audit.ts";
import { autostart } from "./autostart.ts";
import { cache } from "./cache.ts";
import { cluster } from "./cluster.ts";
import { engines } from "./engines.ts";
import { sendXinferenceError } from "./errors.ts";
import { history } from "./history.ts";
import { instances } from "./instances.ts";
import { launchAndTerminate } from "./models.ts";
import { refused } from "./refused.ts";
import { registrations } from "./registrations.ts";
import { requests } from "./requests.ts";
import { security } from "./security.ts";
import type { XinferenceParts } from "./services.ts";

/** A scope of its own, since its errors have other statuses. */
export function xinference(app: App, parts: XinferenceParts): void {
  void app.register(async (scope) => {
    scope.setErrorHandler((error, _request, reply) => sendXinferenceError(reply, error, parts.log));
    scope.addHook("onRequest", async ({ raw }) => forgetTypeOfNothing(raw));
    launchAndTerminate(scope, parts);
    instances(scope, parts);
    registrations(scope, parts);
    engines(scope, parts);
    cache(scope, parts);
    cluster(scope, parts);
    requests(scope, parts);
    autostart(scope, parts);
    history(scope, parts);
    audit(scope, parts);
    security(scope, parts);
    refused(scope);
  });
}

/** Python's asynchronous client gives a type to the body that it does not send. */
function forgetTypeOfNothing({ headers }: IncomingMessage): void {
  const isEmpty = headers["content-length"] === "0" && headers["transfer-encoding"] === undefined;
  if (isEmpty) delete headers["content-type"];
}
