/** Accounts: people with a password, and what they may do. */
import { randomUUID } from "node:crypto";
import type { Kysely, Selectable } from "kysely";
import { PlatformError } from "../base/errors.ts";
import type { EventLog } from "../state/event-log.ts";
import { ConstraintError, type StateDatabase } from "../state/state-database.ts";
import type { AccountsTable, IdentityTables } from "../state/tables/identity.ts";
import { fromColumns, toChangedColumns, toColumns } from "./allowance.ts";
import { checkPassword, hashPassword, isPassword } from "./password.ts";
import type { Permission } from "./permissions.ts";
import type { Allowance, AllowanceChange } from "./principal.ts";

export type Account = {
  readonly id: string;
  readonly username: string;
  readonly permissions: readonly Permission[];
  readonly isEnabled: boolean;
  /** Grows when tokens that were given out before must not count any more. */
  readonly generation: number;
  readonly mustChangePassword: boolean;
  readonly allowance: Allowance;
  readonly createdAt: Date;
  readonly lastLoginAt: Date | undefined;
};

export type NewAccount = {
  readonly username: string;
  readonly password: string;
  readonly permissions: readonly Permission[];
  readonly mustChangePassword?: boolean | undefined;
  readonly allowance?: Partial<Allowance> | undefined;
};

export type AccountChange = {
  readonly password?: string | undefined;
  readonly permissions?: readonly Permission[] | undefined;
  readonly isEnabled?: boolean | undefined;
  readonly mustChangePassword?: boolean | undefined;
  readonly allowance?: AllowanceChange | undefined;
};

const usernamePattern = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;

export class Accounts {
  readonly #database: StateDatabase;
  readonly #events: EventLog;
  readonly #now: () => Date;

  constructor(database: StateDatabase, events: EventLog, now: () => Date = () => new Date()) {
    this.#database = database;
    this.#events = events;
    this.#now = now;
  }

  /**
   * @param options.onlyFirst refuse when there is an account already; of two who come at once, one is
   * @throws PlatformError `invalid_request`, `already_exists`, `forbidden`
   */
  async create(
    { username, password, permissions, mustChangePassword = false, allowance = {} }: NewAccount,
    actor: string,
    { onlyFirst = false } = {},
  ): Promise<Account> {
    if (!usernamePattern.test(username)) {
      throw new PlatformError(
        "invalid_request",
        "A user name has 1 to 128 letters, digits, dots, underscores, hyphens and @, and begins with a letter or a digit.",
        { details: { param: "username" } },
      );
    }
    checkPassword(password);
    const row: AccountsTable = {
      id: randomUUID(),
      username,
      password: await hashPassword(password),
      permissions: JSON.stringify(permissions),
      enabled: 1,
      generation: 1,
      must_change_password: mustChangePassword ? 1 : 0,
      ...toColumns(allowance),
      created_at: this.#now().toISOString(),
      last_login_at: null,
    };
    try {
      await this.#tables.transaction().execute(async (within) => {
        if (onlyFirst && (await within.selectFrom("accounts").select("id").executeTakeFirst())) {
          throw new PlatformError("forbidden", "There is an administrator already. Log in.");
        }
        await within.insertInto("accounts").values(row).execute();
      });
    } catch (error) {
      if (!(error instanceof ConstraintError)) throw error;
      throw new PlatformError("already_exists", `There is an account ${username} already.`, {
        details: { param: "username" },
      });
    }
    await this.#events.add({
      type: "account-created",
      subject: username,
      actor,
      details: { permissions },
    });
    return toAccount(row);
  }

  async list(): Promise<readonly Account[]> {
    const rows = this.#tables.selectFrom("accounts").selectAll().orderBy("created_at");
    return (await rows.execute()).map(toAccount);
  }

  /**
   * @param reference an id or a name
   * @throws PlatformError `not_found`
   */
  async find(reference: string): Promise<Account> {
    const row = await this.#tables
      .selectFrom("accounts")
      .selectAll()
      .where((eb) => eb.or([eb("id", "=", reference), eb("username", "=", reference)]))
      .executeTakeFirst();
    if (row === undefined) {
      throw new PlatformError("not_found", "There is no such account. See atalaya user list.");
    }
    return toAccount(row);
  }

  /**
   * Tokens that the account was given before count no more, unless only its limits change.
   *
   * @param options.generation of the account as it was seen; what has changed it since goes first
   * @throws PlatformError `not_found`, `invalid_request`, `forbidden` when nobody could log in as an administrator any more,
   *   `unauthenticated` when it is of another generation
   */
  async change(
    reference: string,
    change: AccountChange,
    actor: string,
    { generation }: { readonly generation?: number } = {},
  ): Promise<Account> {
    const { password, permissions, isEnabled, mustChangePassword, allowance = {} } = change;
    const { id, username } = await this.find(reference);
    if (password !== undefined) checkPassword(password);
    const access = {
      ...(password === undefined ? {} : { password: await hashPassword(password) }),
      ...(permissions === undefined ? {} : { permissions: JSON.stringify(permissions) }),
      ...(isEnabled === undefined ? {} : { enabled: isEnabled ? (1 as const) : (0 as const) }),
      ...(mustChangePassword === undefined
        ? {}
        : { must_change_password: mustChangePassword ? (1 as const) : (0 as const) }),
    };
    const row = { ...access, ...toChangedColumns(allowance) };
    const endsLogins = Object.keys(access).length > 0 ? 1 : 0;
    const losesRights = isEnabled === false || permissions?.includes("admin") === false;
    await this.#tables.transaction().execute(async (within) => {
      if (losesRights) await refuseLastAdministrator(within, id);
      const update = within
        .updateTable("accounts")
        .set((eb) => ({ ...row, generation: eb("generation", "+", endsLogins) }))
        .where("id", "=", id);
      const { numUpdatedRows } = await (generation === undefined
        ? update
        : update.where("generation", "=", generation)
      ).executeTakeFirst();
      if (numUpdatedRows === 0n) {
        throw new PlatformError(
          "unauthenticated",
          `The account ${username} was changed meanwhile. Log in again.`,
        );
      }
    });
    const details = { changed: Object.keys(row) };
    await this.#events.add({ type: "account-changed", subject: username, actor, details });
    return await this.find(id);
  }

  /**
   * Its keys and logins go with it.
   *
   * @throws PlatformError `not_found`, `forbidden` for the last administrator
   */
  async remove(reference: string, actor: string): Promise<void> {
    const { id, username } = await this.find(reference);
    await this.#tables.transaction().execute(async (within) => {
      await refuseLastAdministrator(within, id);
      await within.deleteFrom("accounts").where("id", "=", id).execute();
    });
    await this.#events.add({ type: "account-removed", subject: username, actor });
  }

  /** @returns the account, when name and password belong together and it is enabled; always as slow */
  async verify(username: string, password: string): Promise<Account | undefined> {
    const row = await this.#tables
      .selectFrom("accounts")
      .selectAll()
      .where("username", "=", username)
      .executeTakeFirst();
    const isRight = await isPassword(password, row?.password);
    if (row === undefined || !isRight || row.enabled === 0) return undefined;
    await this.#tables
      .updateTable("accounts")
      .set({ last_login_at: this.#now().toISOString() })
      .where("id", "=", row.id)
      .execute();
    return toAccount(row);
  }

  get #tables() {
    return this.#database.tables<IdentityTables>();
  }
}

/**
 * Whoever takes the last administrator away has locked everybody out. Within the transaction that would:
 * of two who take each other's rights at once, one is refused.
 */
async function refuseLastAdministrator(within: Kysely<IdentityTables>, id: string): Promise<void> {
  const rows = await within
    .selectFrom("accounts")
    .select(["id", "username", "permissions"])
    .where("enabled", "=", 1)
    .execute();
  const administrators = rows.filter(({ permissions }) =>
    (JSON.parse(permissions) as Permission[]).includes("admin"),
  );
  const [last, other] = administrators;
  if (other !== undefined || last?.id !== id) return;
  throw new PlatformError(
    "forbidden",
    `${last.username} is the last administrator. Make another one first: atalaya user add NAME --scope admin.`,
  );
}

export function toAccount(row: Selectable<AccountsTable>): Account {
  return {
    id: row.id,
    username: row.username,
    permissions: JSON.parse(row.permissions) as Permission[],
    isEnabled: row.enabled === 1,
    generation: row.generation,
    mustChangePassword: row.must_change_password === 1,
    allowance: fromColumns(row),
    createdAt: new Date(row.created_at),
    lastLoginAt: row.last_login_at === null ? undefined : new Date(row.last_login_at),
  };
}
