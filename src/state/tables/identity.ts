/** Keys, accounts and their logins: see `identity/`. No secret is in here but as its hash. */
import type { Generated } from "kysely";
import type { Migration } from "../migration.ts";

const allowance = `
        requests_per_minute INTEGER,
        tokens_per_day INTEGER,
        images_per_day INTEGER,
        max_concurrent INTEGER,`;

export const identityMigrations: readonly Migration[] = [
  {
    name: "identity-1",
    sql: `
      CREATE TABLE accounts (
        id TEXT PRIMARY KEY,
        username TEXT NOT NULL UNIQUE COLLATE NOCASE,
        password TEXT NOT NULL,
        permissions TEXT NOT NULL,
        enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
        generation INTEGER NOT NULL,
        must_change_password INTEGER NOT NULL CHECK (must_change_password IN (0, 1)),${allowance}
        created_at TEXT NOT NULL,
        last_login_at TEXT
      ) STRICT;
      CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        generation INTEGER NOT NULL,
        refresh_hash BLOB NOT NULL,
        expires_at TEXT NOT NULL
      ) STRICT;
      CREATE TABLE api_keys (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        description TEXT NOT NULL,
        prefix TEXT NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        owner TEXT REFERENCES accounts (id) ON DELETE CASCADE,
        permissions TEXT NOT NULL,
        models TEXT,
        enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),${allowance}
        created_at TEXT NOT NULL,
        expires_at TEXT,
        last_used_at TEXT
      ) STRICT;
      CREATE TABLE usage (
        principal TEXT NOT NULL,
        day TEXT NOT NULL,
        requests INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        images INTEGER NOT NULL,
        PRIMARY KEY (principal, day)
      ) STRICT;
      CREATE TABLE secrets (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
      ) STRICT;`,
  },
];

type AllowanceColumns = {
  requests_per_minute: number | null;
  tokens_per_day: number | null;
  images_per_day: number | null;
  max_concurrent: number | null;
};

export type AccountsTable = AllowanceColumns & {
  id: string;
  username: string;
  /** As `password.ts` writes it. */
  password: string;
  /** JSON: a list. */
  permissions: string;
  enabled: 0 | 1;
  /** Grows when what was given out before must not count any more. */
  generation: number;
  must_change_password: 0 | 1;
  created_at: string;
  last_login_at: string | null;
};

export type ApiKeysTable = AllowanceColumns & {
  id: string;
  name: string;
  description: string;
  /** Its first letters, to know it by. */
  prefix: string;
  hash: Uint8Array;
  /** An account's id. */
  owner: string | null;
  /** JSON: a list. */
  permissions: string;
  /** JSON: uids; null is all. */
  models: string | null;
  enabled: 0 | 1;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
};

export type IdentityTables = {
  readonly accounts: AccountsTable;
  readonly api_keys: ApiKeysTable;
  readonly sessions: {
    id: string;
    account_id: string;
    /** Of the account, when it began. */
    generation: number;
    /** Of the one refresh token that counts. */
    refresh_hash: Uint8Array;
    expires_at: string;
  };
  readonly usage: {
    principal: string;
    /** Such as `2026-11-25`, in UTC. */
    day: string;
    requests: Generated<number>;
    tokens: Generated<number>;
    images: Generated<number>;
  };
  readonly secrets: { name: string; value: Uint8Array };
};
