/**
 * Xinference's file of users (`--auth-config`), as its servers before version 3 read it: names,
 * passwords and keys stand in it as they are, and nothing of it is copied into the database.
 *
 * @see xinference `api/oauth2/types.py`, `api/oauth2/auth_service.py`
 */
import { timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { errors, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import { refuseReadableByOthers } from "../state/state-home.ts";
import { parsePermissions } from "./permissions.ts";
import { type Principal, unlimited } from "./principal.ts";
import { sha256 } from "./secret.ts";

const File = z.object({
  auth_config: z.object({
    algorithm: z.enum(["HS256", "HS384", "HS512"]).default("HS256"),
    secret_key: z.string().min(32),
    token_expire_in_minutes: z.number().positive(),
  }),
  user_config: z.array(
    z.object({
      username: z.string().min(1),
      password: z.string().min(1),
      permissions: z.array(z.string()),
      api_keys: z.array(z.string().regex(/^sk-[A-Za-z0-9]{13}$/)).default([]),
    }),
  ),
});
type File = z.infer<typeof File>;

const Claims = z.object({ sub: z.string(), version: z.string() });

type FileUser = {
  readonly principal: Principal;
  readonly password: Buffer;
  readonly version: string;
};

/** Accounts that a file describes; they change when it is read anew, at the next start. */
export class FileAccounts {
  readonly #users = new Map<string, FileUser>();
  readonly #keys = new Map<string, Principal>();
  readonly #config: File["auth_config"];
  readonly #now: () => Date;

  constructor(file: File, now: () => Date = () => new Date()) {
    this.#config = file.auth_config;
    this.#now = now;
    for (const { username, password, permissions: names, api_keys: keys } of file.user_config) {
      const permissions = parsePermissions(names);
      const common = { name: username, permissions, models: undefined, allowance: unlimited };
      const id = `file:${username}`;
      const principal: Principal = { kind: "account", id, ...common };
      if (this.#users.has(username)) throw unusable(`it has the user ${username} twice`);
      const version = sha256(JSON.stringify([password, names])).toString("base64url");
      this.#users.set(username, { principal, password: sha256(password), version });
      for (const key of keys) {
        const digest = sha256(key).toString("base64");
        if (this.#keys.has(digest)) throw unusable("one of its API keys belongs to two users");
        this.#keys.set(digest, { ...principal, kind: "key" });
      }
    }
  }

  /**
   * @throws PlatformError `invalid_request` when it cannot be read, `state_unusable` when others can
   */
  static async read(path: string): Promise<FileAccounts> {
    await refuseReadableByOthers(path);
    const text = await readFile(path, "utf8").catch((cause: unknown) => {
      throw new PlatformError("invalid_request", `The file of users ${path} cannot be read.`, {
        cause,
      });
    });
    return new FileAccounts(parseFile(text));
  }

  /** @returns who that user is, when the file still has one of that name */
  principalWithId(id: string): Principal | undefined {
    return this.#users.get(id.slice("file:".length))?.principal;
  }

  /** By the digest of a key: neither its letters nor its length are compared. */
  principalOfKey(secret: string): Principal | undefined {
    return this.#keys.get(sha256(secret).toString("base64"));
  }

  /** @returns a token, when name and password belong together */
  async logIn(username: string, password: string): Promise<string | undefined> {
    const user = this.#users.get(username);
    const isRight = timingSafeEqual(sha256(password), user?.password ?? sha256(""));
    if (user === undefined || !isRight) return undefined;
    const { algorithm, secret_key: secret, token_expire_in_minutes: minutes } = this.#config;
    const issuedAt = Math.floor(this.#now().getTime() / 1_000);
    return await new SignJWT({ scopes: user.principal.permissions, version: user.version })
      .setProtectedHeader({ alg: algorithm, typ: "JWT" })
      .setSubject(username)
      .setIssuer("atalaya-file")
      .setExpirationTime(issuedAt + Math.ceil(minutes * 60))
      .sign(Buffer.from(secret, "utf8"));
  }

  async principalOfToken(token: string): Promise<Principal | undefined> {
    const { algorithm, secret_key: secret } = this.#config;
    try {
      const { payload } = await jwtVerify(token, Buffer.from(secret, "utf8"), {
        algorithms: [algorithm],
        issuer: "atalaya-file",
        currentDate: this.#now(),
        requiredClaims: ["exp", "sub"],
      });
      const { data } = Claims.safeParse(payload);
      const user = data === undefined ? undefined : this.#users.get(data.sub);
      return user !== undefined && user.version === data?.version ? user.principal : undefined;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}

function parseFile(text: string): File {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unusable("it is not JSON");
  }
  const parsed = File.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  // What stands there may be a secret: only where it stands is told.
  throw unusable(
    `${issue?.path.join(".") ?? "it"} is not as it must be (keys are sk- and 13 letters or digits, secret_key has 32 characters or more)`,
  );
}

function unusable(why: string): PlatformError {
  return new PlatformError("invalid_request", `The file of --auth-config cannot be used: ${why}.`);
}
