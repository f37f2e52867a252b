/** Accounts and keys → the wire. Pure. */
import type { KeyRecord, UserRecord } from "@atalaya/protocol";
import type { Account } from "../../../identity/accounts.ts";
import type { ApiKey } from "../../../identity/api-keys.ts";
import type { Allowance, AllowanceChange } from "../../../identity/principal.ts";
import type { DayUsage } from "../../../identity/usage-limits.ts";

type WireAllowance = {
  readonly requests_per_minute?: number | null | undefined;
  readonly tokens_per_day?: number | null | undefined;
  readonly images_per_day?: number | null | undefined;
  readonly max_concurrent?: number | null | undefined;
};

export function toUserRecord(account: Account): UserRecord {
  return {
    id: account.id,
    username: account.username,
    permissions: account.permissions,
    enabled: account.isEnabled,
    must_change_password: account.mustChangePassword,
    ...toAllowance(account.allowance),
    created_at: account.createdAt.toISOString(),
    last_login_at: account.lastLoginAt?.toISOString() ?? null,
  };
}

export function toKeyRecord(key: ApiKey, usedToday: DayUsage): KeyRecord {
  return {
    id: key.id,
    name: key.name,
    description: key.description,
    prefix: key.prefix,
    owner: key.owner ?? null,
    permissions: key.permissions,
    models: key.models ?? null,
    enabled: key.isEnabled,
    ...toAllowance(key.allowance),
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    used_today: usedToday,
  };
}

/** A body's limits, where `null` is without one. */
export function fromLimits(body: WireAllowance): Allowance {
  return {
    requestsPerMinute: body.requests_per_minute ?? undefined,
    tokensPerDay: body.tokens_per_day ?? undefined,
    imagesPerDay: body.images_per_day ?? undefined,
    maxConcurrent: body.max_concurrent ?? undefined,
  };
}

/** A change's limits: what is left out stays, `null` takes a limit away. */
export function toAllowanceChange(body: WireAllowance): AllowanceChange {
  return {
    requestsPerMinute: body.requests_per_minute,
    tokensPerDay: body.tokens_per_day,
    imagesPerDay: body.images_per_day,
    maxConcurrent: body.max_concurrent,
  };
}

function toAllowance(allowance: Allowance) {
  return {
    requests_per_minute: allowance.requestsPerMinute ?? null,
    tokens_per_day: allowance.tokensPerDay ?? null,
    images_per_day: allowance.imagesPerDay ?? null,
    max_concurrent: allowance.maxConcurrent ?? null,
  };
}
