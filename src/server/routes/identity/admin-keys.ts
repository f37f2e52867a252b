/** `/v1/admin/keys`: API keys, for whoever manages them. */
import {
  KeyChangeRequest,
  type KeyRecord,
  type NewKeyReply,
  NewKeyRequest,
} from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { ApiKey } from "../../../identity/api-keys.ts";
import type { Identity } from "../../../identity/identity.ts";
import type { App } from "../../http.ts";
import { parse } from "../../parse.ts";
import { permissionsToGrant, refuseAbove, refuseLimited } from "./granting.ts";
import { fromLimits, toAllowanceChange, toKeyRecord } from "./to-wire.ts";

type WithId = { Params: { id: string } };

export function adminKeys(app: App, { identity }: { readonly identity: Identity }): void {
  const { keys, usage } = identity;
  const show = async (key: ApiKey): Promise<KeyRecord> =>
    toKeyRecord(key, await usage.usedToday(key.id));

  app.get("/v1/admin/keys", async () => await Promise.all((await keys.list()).map(show)));

  app.post("/v1/admin/keys", async ({ body, principal }): Promise<NewKeyReply> => {
    const wish = parse(NewKeyRequest, body);
    refuseLimited(principal);
    const isOfAccount = principal.kind === "account" && !principal.id.startsWith("file:");
    const { key, secret } = await keys.create(
      {
        name: wish.name,
        description: wish.description ?? undefined,
        owner: isOfAccount ? principal.id : undefined,
        permissions: permissionsToGrant(wish.permissions, principal),
        models: wish.models ?? undefined,
        expiresAt: wish.expires_at == null ? undefined : new Date(wish.expires_at),
        allowance: fromLimits(wish),
      },
      principal.name,
    );
    return { ...(await show(key)), api_key: secret };
  });

  app.put<WithId>("/v1/admin/keys/:id", async ({ params, body, principal }) => {
    const wish = parse(KeyChangeRequest, body);
    refuseLimited(principal);
    const key = await keys.find(params.id);
    refuseAbove(key, principal);
    const { name, description, models, enabled } = wish;
    const permissions =
      wish.permissions === undefined ? undefined : permissionsToGrant(wish.permissions, principal);
    const expiresAt =
      typeof wish.expires_at === "string" ? new Date(wish.expires_at) : wish.expires_at;
    const change = { name, description, models, permissions, expiresAt, isEnabled: enabled };
    const allowance = toAllowanceChange(wish);
    return await show(await keys.change(key.id, { ...change, allowance }, principal.name));
  });

  app.delete<WithId>("/v1/admin/keys/:id", async ({ params, principal }) => {
    const key = await keys.find(params.id);
    refuseAbove(key, principal);
    await keys.revoke(key.id, principal.name);
    return { status: "ok" };
  });

  app.get<WithId>("/v1/admin/keys/:id/reveal", async ({ params }) => {
    await keys.find(params.id);
    throw new PlatformError(
      "unsupported_parameter",
      "Keys are kept as hashes and cannot be shown again. Make a new one, and revoke this one.",
    );
  });
}
