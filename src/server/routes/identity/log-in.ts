/** Logging in and out: `POST /token` as Xinference has it, refreshing, one's own password, the first account. */
import {
  type LoginReply,
  LoginRequest,
  type OwnPasswordReply,
  OwnPasswordRequest,
  RefreshRequest,
  SetupRequest,
  type WhoReply,
} from "@atalaya/protocol";
import type { FastifyRequest } from "fastify";
import { PlatformError } from "../../../base/errors.ts";
import type { Account } from "../../../identity/accounts.ts";
import type { Identity } from "../../../identity/identity.ts";
import { minPasswordLength } from "../../../identity/password.ts";
import { allows } from "../../../identity/permissions.ts";
import type { Tokens } from "../../../identity/sessions.ts";
import type { EventLog } from "../../../state/event-log.ts";
import type { App } from "../../http.ts";
import { parse } from "../../parse.ts";
import { refuseLimited } from "./granting.ts";

type Services = { readonly identity: Identity; readonly events: EventLog };

export function logIn(app: App, { identity, events }: Services): void {
  const { accounts, sessions, fileAccounts, authenticator, throttle } = identity;

  const verify = async (
    { ip }: FastifyRequest,
    { username, password }: LoginRequest,
  ): Promise<Account | undefined> =>
    await throttle.attempt(ip, async () => {
      const account = await accounts.verify(username, password);
      if (account === undefined) throttle.failed(ip);
      return account;
    });

  app.get("/v1/cluster/auth", () => ({ auth: authenticator.isRequired }));

  app.post("/token", async (request): Promise<LoginReply> => {
    const { username, password } = parse(LoginRequest, request.body);
    throttle.refuseBlocked(request.ip);
    const ofFile = await fileAccounts?.logIn(username, password);
    if (ofFile !== undefined) {
      return { access_token: ofFile, token_type: "bearer", must_change_password: false };
    }
    const account = await verify(request, { username, password });
    if (account === undefined) {
      await events.add({ type: "login-failed", details: { from: request.ip } });
      throw new PlatformError("unauthenticated", "Incorrect username or password");
    }
    return toLoginReply(await sessions.begin(account), account);
  });

  app.post("/v1/auth/refresh", async (request): Promise<LoginReply> => {
    throttle.refuseBlocked(request.ip);
    const { refresh_token: token } = parse(RefreshRequest, request.body);
    const { tokens, account } = await sessions.refresh(token).catch((error: unknown) => {
      throttle.failed(request.ip);
      throw error;
    });
    return toLoginReply(tokens, account);
  });

  app.post("/v1/auth/logout", async ({ sessionId }) => {
    if (sessionId !== undefined) await sessions.end(sessionId);
    return { status: "ok" };
  });

  app.get("/v1/auth/me", ({ principal, mustChangePassword }): WhoReply => {
    const { kind, name, permissions } = principal;
    return { kind, name, permissions, must_change_password: mustChangePassword };
  });

  app.post("/v1/auth/password", async (request): Promise<OwnPasswordReply> => {
    const { old_password: old, new_password: password } = parse(OwnPasswordRequest, request.body);
    const { username } = await accountOf(request, identity);
    const known = await verify(request, { username, password: old });
    if (known === undefined) {
      throw new PlatformError("forbidden", "The old password is not right.");
    }
    refuseSamePassword(old, password);
    const change = { password, mustChangePassword: false };
    // Whoever resets it meanwhile means to keep this one out.
    const { generation } = known;
    const account = await accounts.change(known.id, change, username, { generation });
    return { status: "ok", ...toLoginReply(await sessions.begin(account), account) };
  });

  app.get("/v1/admin/setup/status", async () => {
    const needsSetup = fileAccounts === undefined && (await accounts.list()).length === 0;
    return {
      needs_setup: needsSetup,
      initialized: !needsSetup,
      password_min_length: minPasswordLength,
    };
  });

  app.post("/v1/admin/setup", async (request) => {
    const { username, password, setup_code: code } = parse(SetupRequest, request.body);
    throttle.refuseBlocked(request.ip);
    const { principal } = await authenticator.identify(code).catch((error: unknown) => {
      throttle.failed(request.ip);
      throw error;
    });
    if (principal.kind === "anonymous" || !allows(principal.permissions, "admin")) {
      throw new PlatformError(
        "forbidden",
        "The setup code is an administrator's key, as the server's start has shown it or atalaya key create --scope admin makes one.",
      );
    }
    refuseLimited(principal);
    const wish = { username, password, permissions: ["admin"] as const };
    const account = await accounts.create(wish, principal.name, { onlyFirst: true });
    return { status: "ok", username: account.username };
  });
}

/** @throws PlatformError `forbidden` when a key asks, or nobody */
async function accountOf({ principal }: FastifyRequest, { accounts }: Identity): Promise<Account> {
  if (principal.kind !== "account" || principal.id.startsWith("file:")) {
    throw new PlatformError("forbidden", "Only who has logged in to an account may do that.");
  }
  return await accounts.find(principal.id);
}

/** @throws PlatformError `invalid_request` when nothing would change */
function refuseSamePassword(old: string, next: string): void {
  if (old.normalize("NFKC") !== next.normalize("NFKC")) return;
  throw new PlatformError("invalid_request", "The new password is the old one. Choose another.", {
    details: { param: "new_password" },
  });
}

function toLoginReply(tokens: Tokens, account: Account): LoginReply {
  return {
    access_token: tokens.accessToken,
    token_type: "bearer",
    refresh_token: tokens.refreshToken,
    expires_in: tokens.expiresIn,
    must_change_password: account.mustChangePassword,
  };
}
