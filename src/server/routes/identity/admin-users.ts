/** `/v1/admin/users`: accounts, for whoever manages them. */
import {
  NewUserRequest,
  PermissionsRequest,
  UserChangeRequest,
  UserPasswordRequest,
  type UserRecord,
} from "@atalaya/protocol";
import type { FastifyRequest } from "fastify";
import type { AccountChange } from "../../../identity/accounts.ts";
import type { Identity } from "../../../identity/identity.ts";
import type { App } from "../../http.ts";
import { parse } from "../../parse.ts";
import { permissionsToGrant, refuseAbove, refuseLimited } from "./granting.ts";
import { fromLimits, toAllowanceChange, toUserRecord } from "./to-wire.ts";

type WithId = { Params: { id: string } };

export function adminUsers(app: App, { identity }: { readonly identity: Identity }): void {
  const { accounts } = identity;

  const change = async (
    { principal, params }: FastifyRequest<WithId>,
    wish: AccountChange,
  ): Promise<UserRecord> => {
    refuseLimited(principal);
    const account = await accounts.find(params.id);
    refuseAbove(account, principal);
    return toUserRecord(await accounts.change(account.id, wish, principal.name));
  };

  app.get("/v1/admin/users", async () => (await accounts.list()).map(toUserRecord));

  app.post("/v1/admin/users", async ({ body, principal }) => {
    const wish = parse(NewUserRequest, body);
    refuseLimited(principal);
    const account = await accounts.create(
      {
        username: wish.username,
        password: wish.password,
        permissions: permissionsToGrant(wish.permissions, principal),
        mustChangePassword: wish.must_change_password,
        allowance: fromLimits(wish),
      },
      principal.name,
    );
    return toUserRecord(account);
  });

  app.route<WithId>({
    method: ["PUT", "PATCH"],
    url: "/v1/admin/users/:id",
    handler: async (request) => {
      const wish = parse(UserChangeRequest, request.body);
      return await change(request, {
        password: wish.password,
        permissions:
          wish.permissions === undefined
            ? undefined
            : permissionsToGrant(wish.permissions, request.principal),
        isEnabled: wish.enabled,
        mustChangePassword: wish.must_change_password,
        allowance: toAllowanceChange(wish),
      });
    },
  });

  app.put<WithId>("/v1/admin/users/:id/password", async (request) => {
    const { password } = parse(UserPasswordRequest, request.body);
    return await change(request, { password });
  });

  app.put<WithId>("/v1/admin/users/:id/permissions", async (request) => {
    const { permissions } = parse(PermissionsRequest, request.body);
    return await change(request, {
      permissions: permissionsToGrant(permissions, request.principal),
    });
  });

  app.delete<WithId>("/v1/admin/users/:id", async ({ params, principal }) => {
    const account = await accounts.find(params.id);
    refuseAbove(account, principal);
    await accounts.remove(account.id, principal.name);
    return { status: "ok" };
  });
}
