/**
 * Logins: a signed token for every request, and one that gets the next.
 *
 * The signature alone is never enough: a token counts as long as its login does, and the account has not
 * changed since. A refresh token works once; when one comes a second time, somebody has copied it, and
 * the login ends.
 */
import { randomUUID, timingSafeEqual } from "node:crypto";
import { errors, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import type { EventLog } from "../state/event-log.ts";
import type { StateDatabase } from "../state/state-database.ts";
import type { IdentityTables } from "../state/tables/identity.ts";
import { type Account, toAccount } from "./accounts.ts";
import type { Principal } from "./principal.ts";
import { randomSecret, sha256 } from "./secret.ts";

const accessLifeSeconds = 12 * 60 * 60;
const refreshLifeMs = 7 * 24 * 60 * 60 * 1_000;
const issuer = "atalaya";
const clockToleranceSeconds = 60;

export type Tokens = {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds that the first is good for. */
  readonly expiresIn: number;
};

const Claims = z.object({
  sub: z.string(),
  user_id: z.string(),
  sid: z.string(),
  token_version: z.int(),
  type: z.literal("access"),
  exp: z.int(),
});

export class Sessions {
  readonly #database: StateDatabase;
  readonly #events: EventLog;
  readonly #now: () => Date;
  #key: Promise<Uint8Array> | undefined;

  constructor(database: StateDatabase, events: EventLog, now: () => Date = () => new Date()) {
    this.#database = database;
    this.#events = events;
    this.#now = now;
  }

  async begin(account: Account): Promise<Tokens> {
    const id = randomUUID();
    const secret = randomSecret();
    const now = this.#now();
    await this.#tables.deleteFrom("sessions").where("expires_at", "<", now.toISOString()).execute();
    await this.#tables
      .insertInto("sessions")
      .values({
        id,
        account_id: account.id,
        generation: account.generation,
        refresh_hash: sha256(secret),
        expires_at: new Date(now.getTime() + refreshLifeMs).toISOString(),
      })
      .execute();
    await this.#events.add({ type: "logged-in", subject: account.username });
    return await this.#tokens(account, id, secret);
  }

  /** @throws PlatformError `unauthenticated` */
  async refresh(token: string): Promise<{ readonly tokens: Tokens; readonly account: Account }> {
    const [id = "", secret = ""] = token.split(".");
    const session = await this.#session(id);
    if (session === undefined) throw refused();
    if (!timingSafeEqual(session.refreshHash, sha256(secret))) {
      await this.end(id);
      const subject = session.account.username;
      await this.#events.add({ type: "refresh-token-reused", subject });
      throw refused();
    }
    const next = randomSecret();
    const { numUpdatedRows } = await this.#tables
      .updateTable("sessions")
      .set({ refresh_hash: sha256(next) })
      .where("id", "=", id)
      .where("refresh_hash", "=", sha256(secret))
      .executeTakeFirst();
    // Of two who come with it at once, one is served.
    if (numUpdatedRows !== 1n) throw refused();
    return { tokens: await this.#tokens(session.account, id, next), account: session.account };
  }

  /** Log out: the login's tokens count no more. */
  async end(id: string): Promise<void> {
    await this.#tables.deleteFrom("sessions").where("id", "=", id).execute();
  }

  /** @returns whose token it is and of which login, when it counts */
  async verify(token: string): Promise<
    | {
        readonly principal: Principal;
        readonly sessionId: string;
        readonly mustChangePassword: boolean;
      }
    | undefined
  > {
    const claims = await this.#claims(token);
    if (claims === undefined) return undefined;
    const session = await this.#session(claims.sid);
    if (session === undefined) return undefined;
    const { account } = session;
    if (account.id !== claims.user_id || account.generation !== claims.token_version) {
      return undefined;
    }
    const { mustChangePassword } = account;
    return { principal: principalOf(account), sessionId: claims.sid, mustChangePassword };
  }

  /** @returns who that account is, when it is enabled; for work that it began earlier */
  async principalWithId(accountId: string): Promise<Principal | undefined> {
    const row = await this.#tables
      .selectFrom("accounts")
      .selectAll()
      .where("id", "=", accountId)
      .where("enabled", "=", 1)
      .executeTakeFirst();
    return row === undefined ? undefined : principalOf(toAccount(row));
  }

  async #claims(token: string): Promise<z.infer<typeof Claims> | undefined> {
    try {
      const { payload } = await jwtVerify(token, await this.#signingKey(), {
        algorithms: ["HS256"],
        issuer,
        clockTolerance: clockToleranceSeconds,
        currentDate: this.#now(),
        requiredClaims: ["exp", "sub"],
      });
      return Claims.safeParse(payload).data;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  /** A login that counts: not ended, not over, its account enabled and unchanged since. */
  async #session(
    id: string,
  ): Promise<{ readonly account: Account; readonly refreshHash: Uint8Array } | undefined> {
    const row = await this.#tables
      .selectFrom("sessions")
      .innerJoin("accounts", "accounts.id", "sessions.account_id")
      .selectAll("accounts")
      .select(["sessions.refresh_hash", "sessions.expires_at", "sessions.generation as began_at"])
      .where("sessions.id", "=", id)
      .executeTakeFirst();
    if (row === undefined || row.enabled === 0 || row.began_at !== row.generation) return undefined;
    if (new Date(row.expires_at) <= this.#now()) return undefined;
    return { account: toAccount(row), refreshHash: row.refresh_hash };
  }

  async #tokens(account: Account, sessionId: string, secret: string): Promise<Tokens> {
    const issuedAt = Math.floor(this.#now().getTime() / 1_000);
    const accessToken = await new SignJWT({
      user_id: account.id,
      sid: sessionId,
      scopes: account.permissions,
      token_version: account.generation,
      type: "access",
    })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setSubject(account.username)
      .setIssuer(issuer)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + accessLifeSeconds)
      .sign(await this.#signingKey());
    return { accessToken, refreshToken: `${sessionId}.${secret}`, expiresIn: accessLifeSeconds };
  }

  /** Made once, kept with the rest of the state. */
  #signingKey(): Promise<Uint8Array> {
    this.#key ??= this.#readOrMakeKey().catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  async #readOrMakeKey(): Promise<Uint8Array> {
    const name = "token-signing-key";
    await this.#tables
      .insertInto("secrets")
      .values({ name, value: Buffer.from(randomSecret(), "base64url") })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const row = this.#tables.selectFrom("secrets").select("value").where("name", "=", name);
    return (await row.executeTakeFirstOrThrow()).value;
  }

  get #tables() {
    return this.#database.tables<IdentityTables>();
  }
}

function principalOf({ id, username, permissions, allowance }: Account): Principal {
  return { kind: "account", id, name: username, permissions, models: undefined, allowance };
}

function refused(): PlatformError {
  return new PlatformError("unauthenticated", "The login is over. Log in again.");
}
