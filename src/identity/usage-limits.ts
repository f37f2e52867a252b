/**
 * What each key or account takes: requests in a minute, requests at one time, tokens and pictures in a
 * day of UTC. Counted in memory, and kept in the database so that a restart gives nobody a new day.
 */
import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { StateDatabase } from "../state/state-database.ts";
import type { IdentityTables } from "../state/tables/identity.ts";
import type { Principal } from "./principal.ts";

export type DayUsage = {
  readonly requests: number;
  readonly tokens: number;
  readonly images: number;
};

/** One request that was let in. It is under way until it is disposed of, and nobody holds it any more. */
export interface Admission extends Disposable {
  readonly hold: () => Disposable;
  /** @throws PlatformError `rate_limited` when these pictures are more than are left of the day */
  readonly takeImages: (count: number) => void;
  readonly addTokens: (count: number) => void;
}

type Counted = { requests: number; tokens: number; images: number };
type Account = {
  day: string;
  readonly used: Counted;
  /** Of these, what the database does not know yet. */
  readonly unsaved: Counted;
  numConcurrent: number;
  /** Requests that may come at once; grows with time, up to the allowance of a minute. */
  credit: number;
  creditAt: number;
};

const saveAfterMs = 1_000;

export class UsageLimits implements AsyncDisposable {
  readonly #database: StateDatabase;
  readonly #log: Logger;
  readonly #now: () => Date;
  readonly #accounts = new Map<string, Promise<Account>>();
  readonly #unsaved = new Map<string, Account>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    database: StateDatabase,
    { log, now = () => new Date() }: { readonly log: Logger; readonly now?: () => Date },
  ) {
    this.#database = database;
    this.#log = log;
    this.#now = now;
  }

  /**
   * @param options.isWork whether it is a question or an upload; what only looks at or manages what was made is not kept from it by work
   *   under way or a day that is spent
   * @param options.onEnd told when nobody holds it any more
   * @throws PlatformError `rate_limited`, with the seconds to wait
   */
  async admit(
    principal: Principal,
    { isWork, onEnd }: { readonly isWork: boolean; readonly onEnd: () => void },
  ): Promise<Admission> {
    const { id, allowance } = principal;
    const account = await this.#accountOf(id);
    this.#beginDay(account);
    const { requestsPerMinute, maxConcurrent, tokensPerDay, imagesPerDay } = allowance;
    if (isWork && maxConcurrent !== undefined && account.numConcurrent >= maxConcurrent) {
      throw limited(
        `${principal.name} has ${maxConcurrent} requests under way, as many as it may`,
        1,
      );
    }
    if (isWork && tokensPerDay !== undefined && account.used.tokens >= tokensPerDay) {
      throw limited(
        `${principal.name} has used its ${tokensPerDay} tokens of today`,
        this.#tomorrow(),
      );
    }
    if (requestsPerMinute !== undefined)
      this.#takeCredit(account, principal.name, requestsPerMinute);
    this.#count(id, account, "requests", 1);
    let numHolders = 0;
    const hold = (): Disposable => {
      let isHeld = true;
      // Who holds it again after its end is under way again.
      if (numHolders === 0 && isWork) account.numConcurrent += 1;
      numHolders += 1;
      return {
        [Symbol.dispose]: () => {
          if (!isHeld) return;
          isHeld = false;
          numHolders -= 1;
          if (numHolders > 0) return;
          if (isWork) account.numConcurrent -= 1;
          onEnd();
        },
      };
    };
    const own = hold();
    return {
      hold,
      takeImages: (count) => {
        this.#beginDay(account);
        if (imagesPerDay !== undefined && account.used.images + count > imagesPerDay) {
          throw limited(
            `${principal.name} may ask about ${imagesPerDay} pictures a day, and has ${Math.max(0, imagesPerDay - account.used.images)} left`,
            this.#tomorrow(),
          );
        }
        this.#count(id, account, "images", count);
      },
      addTokens: (count) => this.#count(id, account, "tokens", count),
      [Symbol.dispose]: () => own[Symbol.dispose](),
    };
  }

  /** What was taken today. */
  async usedToday(id: string): Promise<DayUsage> {
    const account = await this.#accountOf(id);
    this.#beginDay(account);
    return { ...account.used };
  }

  /** Write down what is not yet. */
  async save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [principal, { day, unsaved }] of this.#unsaved) {
      this.#unsaved.delete(principal);
      const { requests, tokens, images } = unsaved;
      Object.assign(unsaved, none());
      await this.#database
        .tables<IdentityTables>()
        .insertInto("usage")
        .values({ principal, day, requests, tokens, images })
        .onConflict((conflict) =>
          conflict.columns(["principal", "day"]).doUpdateSet((eb) => ({
            requests: eb("usage.requests", "+", requests),
            tokens: eb("usage.tokens", "+", tokens),
            images: eb("usage.images", "+", images),
          })),
        )
        .execute();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.save().catch((error: unknown) => this.#log.warn({ err: error }, "usage-not-kept"));
  }

  #takeCredit(account: Account, name: string, perMinute: number): void {
    const now = performance.now();
    const earned = ((now - account.creditAt) / 60_000) * perMinute;
    account.credit = Math.min(perMinute, account.credit + earned);
    account.creditAt = now;
    if (account.credit < 1) {
      const seconds = Math.ceil(((1 - account.credit) / perMinute) * 60);
      throw limited(`${name} may send ${perMinute} requests a minute`, seconds);
    }
    account.credit -= 1;
  }

  #accountOf(id: string): Promise<Account> {
    let account = this.#accounts.get(id);
    if (account === undefined) {
      account = this.#read(id);
      account.catch(() => this.#accounts.delete(id));
      this.#accounts.set(id, account);
    }
    return account;
  }

  async #read(principal: string): Promise<Account> {
    const day = this.#today();
    const row = await this.#database
      .tables<IdentityTables>()
      .selectFrom("usage")
      .select(["requests", "tokens", "images"])
      .where("principal", "=", principal)
      .where("day", "=", day)
      .executeTakeFirst();
    const used = { ...none(), ...row };
    const creditAt = performance.now();
    return { day, used, unsaved: none(), numConcurrent: 0, credit: Infinity, creditAt };
  }

  #beginDay(account: Account): void {
    const today = this.#today();
    if (account.day === today) return;
    account.day = today;
    Object.assign(account.used, none());
    Object.assign(account.unsaved, none());
  }

  #count(id: string, account: Account, what: keyof Counted, count: number): void {
    account.used[what] += count;
    account.unsaved[what] += count;
    this.#unsaved.set(id, account);
    this.#timer ??= setTimeout(() => {
      this.save().catch((error: unknown) => this.#log.warn({ err: error }, "usage-not-kept"));
    }, saveAfterMs).unref();
  }

  #today(): string {
    return this.#now().toISOString().slice(0, 10);
  }

  /** Seconds until the next day begins. */
  #tomorrow(): number {
    const now = this.#now().getTime();
    const dayMs = 24 * 60 * 60_000;
    return Math.ceil((dayMs - (now % dayMs)) / 1_000);
  }
}

function none(): Counted {
  return { requests: 0, tokens: 0, images: 0 };
}

function limited(what: string, retryAfter: number): PlatformError {
  return new PlatformError("rate_limited", `${what}. Try again in ${retryAfter} s.`, {
    details: { retryAfter },
  });
}
