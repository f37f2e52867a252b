/** A key or a token → who that is. The one place that decides it, for every route and dialect. */
import { PlatformError } from "../base/errors.ts";
import type { Owner } from "../base/viewer.ts";
import { type ApiKeys, keyPrefix } from "./api-keys.ts";
import type { FileAccounts } from "./auth-config.ts";
import { roles } from "./permissions.ts";
import { anonymous, type Principal } from "./principal.ts";
import type { Sessions } from "./sessions.ts";

export type Identified = {
  readonly principal: Principal;
  /** The login that the token belongs to. */
  readonly sessionId?: string | undefined;
  /** Whether its account may do nothing else before it has another password. */
  readonly mustChangePassword?: boolean | undefined;
};

/** No key or token that we give out is longer. */
const maxCredentialLength = 4_096;

export class Authenticator {
  readonly #parts: {
    readonly keys: ApiKeys;
    readonly sessions: Sessions;
    readonly fileAccounts: FileAccounts | undefined;
  };
  /** Whether strangers are kept out; else whoever has no key may do everything. */
  readonly isRequired: boolean;

  constructor(
    parts: {
      readonly keys: ApiKeys;
      readonly sessions: Sessions;
      readonly fileAccounts?: FileAccounts | undefined;
    },
    { isRequired }: { readonly isRequired: boolean },
  ) {
    this.#parts = { ...parts, fileAccounts: parts.fileAccounts };
    this.isRequired = isRequired;
  }

  /**
   * Where no key is needed a known one still counts, with what it may; others are taken for nothing, since
   * clients send one in any case.
   *
   * @throws PlatformError `unauthenticated`
   */
  async identify(credential: string | undefined): Promise<Identified> {
    const known = credential === undefined ? undefined : await this.#recognise(credential);
    if (known !== undefined) return known;
    if (!this.isRequired) return { principal: anonymous };
    throw new PlatformError(
      "unauthenticated",
      credential === undefined
        ? 'This server needs a key. Send it as "authorization: Bearer KEY".'
        : "Could not validate credentials: the key or token is wrong, expired or revoked.",
    );
  }

  /**
   * Who began work that goes on without its key, with what it may now. What was begun before anybody needed a
   * key goes on as before, but for what only administrators may.
   *
   * @throws PlatformError `unauthenticated` when the key or account counts no more
   */
  async identifyOwner(owner: Owner): Promise<Principal> {
    if (owner === null) {
      return this.isRequired ? { ...anonymous, permissions: roles.inference } : anonymous;
    }
    const { keys, sessions, fileAccounts } = this.#parts;
    const known = owner.startsWith("file:")
      ? fileAccounts?.principalWithId(owner)
      : ((await keys.principalWithId(owner)) ?? (await sessions.principalWithId(owner)));
    if (known !== undefined) return known;
    throw new PlatformError(
      "unauthenticated",
      "The key or account that asked for this is revoked, disabled or has expired.",
    );
  }

  async #recognise(credential: string): Promise<Identified | undefined> {
    if (credential.length > maxCredentialLength) return undefined;
    const { keys, sessions, fileAccounts } = this.#parts;
    if (credential.startsWith(keyPrefix)) {
      const principal = await keys.principalOf(credential);
      return principal === undefined ? undefined : { principal };
    }
    if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(credential)) {
      const ofFile = await fileAccounts?.principalOfToken(credential);
      return ofFile === undefined ? await sessions.verify(credential) : { principal: ofFile };
    }
    const ofFile = fileAccounts?.principalOfKey(credential);
    return ofFile === undefined ? undefined : { principal: ofFile };
  }
}
