/** Everything about who asks, in one place: keys, accounts, logins, and what each may take. */
import type { Logger } from "../base/logger.ts";
import type { EventLog } from "../state/event-log.ts";
import type { StateDatabase } from "../state/state-database.ts";
import { Accounts } from "./accounts.ts";
import { ApiKeys } from "./api-keys.ts";
import type { FileAccounts } from "./auth-config.ts";
import { Authenticator } from "./authenticator.ts";
import { FailureThrottle } from "./failure-throttle.ts";
import { Sessions } from "./sessions.ts";
import { UsageLimits } from "./usage-limits.ts";

export type IdentityOptions = {
  /** Whether every request needs a key or a token. */
  readonly isRequired: boolean;
  /** Of Xinference's `--auth-config`. */
  readonly fileAccounts?: FileAccounts | undefined;
};

export class Identity implements AsyncDisposable {
  readonly keys: ApiKeys;
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly fileAccounts: FileAccounts | undefined;
  readonly authenticator: Authenticator;
  readonly usage: UsageLimits;
  /** Of wrong keys, and of wrong passwords. */
  readonly throttle = new FailureThrottle();

  constructor(
    {
      state,
      events,
      log,
    }: {
      readonly state: StateDatabase;
      readonly events: EventLog;
      readonly log: Logger;
    },
    { isRequired, fileAccounts }: IdentityOptions,
  ) {
    this.keys = new ApiKeys(state, events);
    this.accounts = new Accounts(state, events);
    this.sessions = new Sessions(state, events);
    this.fileAccounts = fileAccounts;
    const { keys, sessions } = this;
    this.authenticator = new Authenticator({ keys, sessions, fileAccounts }, { isRequired });
    this.usage = new UsageLimits(state, { log });
  }

  /** Whether somebody could log in as an administrator. */
  async hasAdministrator(): Promise<boolean> {
    if (this.fileAccounts !== undefined) return true;
    const [keys, accounts] = await Promise.all([this.keys.list(), this.accounts.list()]);
    return [...keys, ...accounts].some(
      ({ isEnabled, permissions }) => isEnabled && permissions.includes("admin"),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.usage[Symbol.asyncDispose]();
  }
}
