/** `/v1/admin/security`: who is kept from guessing keys and passwords, and letting them try again. */
import { type BannedAddressesReply, UnbanRequest } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import { throttleRule } from "../../../identity/failure-throttle.ts";
import type { App } from "../../http.ts";
import { parse } from "../../parse.ts";
import type { XinferenceParts } from "./services.ts";

export function security(app: App, { identity: { throttle }, events }: XinferenceParts): void {
  const forgive = async (actor: string, ip?: string): Promise<{ status: string }> => {
    throttle.forgive(ip);
    await events.add({ type: "login-forgiven", actor, details: { from: ip ?? "all" } });
    return { status: "ok" };
  };

  app.get("/v1/admin/security/rate-limit", () => ({
    ip_max_failures: throttleRule.maxFailures,
    ip_window_seconds: throttleRule.windowMs / 1_000,
    // The first time; each further one is twice as long.
    ip_ban_seconds: throttleRule.firstWaitMs / 1_000,
    ip_longest_ban_seconds: throttleRule.longestWaitMs / 1_000,
    // Whoever guesses has no key yet: it is the address that waits.
    key_max_failures: null,
    key_window_seconds: null,
    key_ban_seconds: null,
  }));

  app.put("/v1/admin/security/rate-limit", () => {
    throw new PlatformError(
      "unsupported_parameter",
      "How many wrong keys and passwords an address may send is a rule of the program and is not set. Limits of single keys are: PUT /v1/admin/keys/{id}.",
    );
  });

  app.get(
    "/v1/admin/security/banned-ips",
    (): BannedAddressesReply => ({
      banned_ips: throttle
        .blocked()
        .map(({ peer, waitMs }) => ({ ip: peer, remaining_seconds: Math.ceil(waitMs / 1_000) })),
    }),
  );

  app.get("/v1/admin/security/banned-keys", () => ({ banned_keys: [] }));

  app.post("/v1/admin/security/unban-ip", async ({ body, principal }) => {
    const { ip } = parse(UnbanRequest, body);
    return await forgive(principal.name, ip);
  });

  app.post(
    "/v1/admin/security/unban-all-ips",
    async ({ principal }) => await forgive(principal.name),
  );

  // No key is ever kept from trying by itself, so there is nothing to undo.
  for (const url of ["/v1/admin/security/unban-key", "/v1/admin/security/unban-all-keys"]) {
    app.post(url, () => ({ status: "ok" }));
  }
}
