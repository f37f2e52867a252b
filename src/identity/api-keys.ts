/** API keys: random, shown once, kept as a hash. */
import { randomUUID, timingSafeEqual } from "node:crypto";
import type { Selectable } from "kysely";
import { PlatformError } from "../base/errors.ts";
import type { EventLog } from "../state/event-log.ts";
import type { StateDatabase } from "../state/state-database.ts";
import type { ApiKeysTable, IdentityTables } from "../state/tables/identity.ts";
import { fromColumns, toChangedColumns, toColumns } from "./allowance.ts";
import { commonPermissions, type Permission } from "./permissions.ts";
import type { Allowance, AllowanceChange, Principal } from "./principal.ts";
import { randomSecret, sha256 } from "./secret.ts";

/** What every key begins with: tools that look for lost secrets know it by. */
export const keyPrefix = "sk-atalaya-";
const numShown = keyPrefix.length + 6;
/** `last_used_at` is not written more often for one key. */
const usedAgainMs = 60_000;

/** A key without its secret. */
export type ApiKey = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly prefix: string;
  /** An account's id. */
  readonly owner: string | undefined;
  readonly permissions: readonly Permission[];
  readonly models: readonly string[] | undefined;
  readonly isEnabled: boolean;
  readonly allowance: Allowance;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
};

export type NewApiKey = {
  readonly name: string;
  readonly description?: string | undefined;
  readonly owner?: string | undefined;
  readonly permissions: readonly Permission[];
  readonly models?: readonly string[] | undefined;
  readonly allowance?: Partial<Allowance> | undefined;
  readonly expiresAt?: Date | undefined;
};

/** What is left out, or `undefined`, stays; `null` takes the limit away. */
export type KeyChange = {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly permissions?: readonly Permission[] | undefined;
  readonly models?: readonly string[] | null | undefined;
  readonly expiresAt?: Date | null | undefined;
  readonly isEnabled?: boolean | undefined;
  readonly allowance?: AllowanceChange | undefined;
};

export class ApiKeys {
  readonly #database: StateDatabase;
  readonly #events: EventLog;
  readonly #now: () => Date;
  readonly #usedAt = new Map<string, number>();

  constructor(database: StateDatabase, events: EventLog, now: () => Date = () => new Date()) {
    this.#database = database;
    this.#events = events;
    this.#now = now;
  }

  /** @returns the key, and its secret, which nobody can read again */
  async create(
    { name, description = "", owner, permissions, models, allowance = {}, expiresAt }: NewApiKey,
    actor: string,
  ): Promise<{ readonly key: ApiKey; readonly secret: string }> {
    const secret = `${keyPrefix}${randomSecret()}`;
    const row: ApiKeysTable = {
      id: randomUUID(),
      name,
      description,
      prefix: secret.slice(0, numShown),
      hash: sha256(secret),
      owner: owner ?? null,
      permissions: JSON.stringify(permissions),
      models: models === undefined ? null : JSON.stringify(models),
      enabled: 1,
      ...toColumns(allowance),
      created_at: this.#now().toISOString(),
      expires_at: expiresAt?.toISOString() ?? null,
      last_used_at: null,
    };
    await this.#tables.insertInto("api_keys").values(row).execute();
    const details = { name, prefix: row.prefix, permissions };
    await this.#events.add({ type: "key-created", subject: row.id, actor, details });
    return { key: toApiKey(row), secret };
  }

  async list(): Promise<readonly ApiKey[]> {
    const rows = this.#tables.selectFrom("api_keys").selectAll().orderBy("created_at");
    return (await rows.execute()).map(toApiKey);
  }

  /**
   * @param reference an id, a name, or the letters that a key begins with
   * @throws PlatformError `not_found`; `invalid_request` when several are meant
   */
  async find(reference: string): Promise<ApiKey> {
    const keys = await this.list();
    const exact = keys.filter(({ id, name }) => id === reference || name === reference);
    const found =
      exact.length > 0 ? exact : keys.filter(({ prefix }) => isPrefix(reference, prefix));
    const [key] = found;
    if (key === undefined) throw noSuchKey();
    if (found.length > 1) {
      throw new PlatformError(
        "invalid_request",
        `${found.length} keys are meant by that. Say which by its id: ${found.map(({ id }) => id).join(", ")}.`,
      );
    }
    return key;
  }

  /** From the next request on it is worth nothing. */
  async revoke(id: string, actor: string): Promise<void> {
    const key = await this.find(id);
    await this.#tables.deleteFrom("api_keys").where("id", "=", key.id).execute();
    const details = { name: key.name, prefix: key.prefix };
    await this.#events.add({ type: "key-revoked", subject: key.id, actor, details });
  }

  /** @throws PlatformError `not_found` */
  async change(id: string, change: KeyChange, actor: string): Promise<ApiKey> {
    const { name, description, permissions, models, expiresAt, isEnabled } = change;
    const { allowance = {} } = change;
    const row = {
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      ...(permissions === undefined ? {} : { permissions: JSON.stringify(permissions) }),
      ...(models === undefined ? {} : { models: models === null ? null : JSON.stringify(models) }),
      ...(expiresAt === undefined ? {} : { expires_at: expiresAt?.toISOString() ?? null }),
      ...(isEnabled === undefined ? {} : { enabled: isEnabled ? (1 as const) : (0 as const) }),
      ...toChangedColumns(allowance),
    };
    if (Object.keys(row).length > 0) {
      await this.#tables.updateTable("api_keys").set(row).where("id", "=", id).execute();
    }
    const key = await this.find(id);
    await this.#events.add({
      type: "key-changed",
      subject: id,
      actor,
      details: { changed: Object.keys(row) },
    });
    return key;
  }

  /** @returns whose secret it is, when it counts */
  async principalOf(secret: string): Promise<Principal | undefined> {
    const hash = sha256(secret);
    const row = await this.#withOwner.where("hash", "=", hash).executeTakeFirst();
    // The index has found it; that it is the same is compared without telling how much of it is.
    if (row === undefined || !timingSafeEqual(row.hash, hash)) return undefined;
    return this.#toPrincipal(row);
  }

  /** @returns who that key is, when it counts; for work that it began earlier */
  async principalWithId(id: string): Promise<Principal | undefined> {
    const row = await this.#withOwner.where("api_keys.id", "=", id).executeTakeFirst();
    return row === undefined ? undefined : this.#toPrincipal(row);
  }

  get #withOwner() {
    return this.#tables
      .selectFrom("api_keys")
      .leftJoin("accounts", "accounts.id", "api_keys.owner")
      .selectAll("api_keys")
      .select(["accounts.enabled as owner_enabled", "accounts.permissions as owner_permissions"]);
  }

  #toPrincipal(row: KeyWithOwner): Principal | undefined {
    const now = this.#now();
    const isOver = row.expires_at !== null && new Date(row.expires_at) <= now;
    if (row.enabled === 0 || isOver || row.owner_enabled === 0) return undefined;
    this.#noteUse(row.id, now);
    const { id, name, permissions, models, allowance } = toApiKey(row);
    const ofOwner = row.owner_permissions;
    return {
      kind: "key",
      id,
      name,
      // What its owner has lost, it has lost.
      permissions:
        ofOwner === null
          ? permissions
          : commonPermissions(permissions, JSON.parse(ofOwner) as Permission[]),
      models,
      allowance,
    };
  }

  /** Not waited for: an answer does not depend on it. */
  #noteUse(id: string, now: Date): void {
    if (now.getTime() - (this.#usedAt.get(id) ?? 0) < usedAgainMs) return;
    this.#usedAt.set(id, now.getTime());
    this.#tables
      .updateTable("api_keys")
      .set({ last_used_at: now.toISOString() })
      .where("id", "=", id)
      .execute()
      .catch(() => this.#usedAt.delete(id));
  }

  get #tables() {
    return this.#database.tables<IdentityTables>();
  }
}

type KeyWithOwner = Selectable<ApiKeysTable> & {
  readonly owner_enabled: 0 | 1 | null;
  readonly owner_permissions: string | null;
};

function toApiKey(row: Selectable<ApiKeysTable>): ApiKey {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    prefix: row.prefix,
    owner: row.owner ?? undefined,
    permissions: JSON.parse(row.permissions) as Permission[],
    models: row.models === null ? undefined : (JSON.parse(row.models) as string[]),
    isEnabled: row.enabled === 1,
    allowance: fromColumns(row),
    createdAt: new Date(row.created_at),
    expiresAt: row.expires_at === null ? undefined : new Date(row.expires_at),
    lastUsedAt: row.last_used_at === null ? undefined : new Date(row.last_used_at),
  };
}

/** Whole keys that somebody pastes are recognised by their beginning too. */
function isPrefix(reference: string, prefix: string): boolean {
  return (
    reference.length > keyPrefix.length &&
    (prefix.startsWith(reference) || reference.startsWith(prefix))
  );
}

function noSuchKey(): PlatformError {
  return new PlatformError("not_found", "There is no such key. See atalaya key list.");
}
