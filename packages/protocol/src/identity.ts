/** Logins, accounts and keys: Xinference's words where it has some. */
import { z } from "zod";

const name = z.string().min(1).max(128);
const password = z.string().max(1_024);
const names = z.array(z.string().max(64)).max(64);
const limit = z.int().positive().max(Number.MAX_SAFE_INTEGER).nullish();

const allowance = {
  requests_per_minute: limit.describe(
    "Requests in a minute at most. `null`, or left out: as many as come.",
  ),
  tokens_per_day: limit.describe(
    "Tokens in a day at most, of prompts and answers. `null`, or left out: as many as come.",
  ),
  images_per_day: limit.describe(
    "Pictures in a day at most. `null`, or left out: as many as come.",
  ),
  max_concurrent: limit.describe(
    "Requests at the same time at most. `null`, or left out: as many as come.",
  ),
};

/** Body of `POST /token`. */
export const LoginRequest = z.object({
  username: name.describe("Name of the account."),
  password: password.describe("Its password."),
});
export type LoginRequest = z.infer<typeof LoginRequest>;

export type LoginReply = {
  /** For the header `authorization: Bearer …`. */
  readonly access_token: string;
  /** Always `bearer`. */
  readonly token_type: "bearer";
  /** For `POST /v1/auth/refresh`, once. Not for accounts of an `--auth-config` file. */
  readonly refresh_token?: string;
  /** Seconds until the access token ends. */
  readonly expires_in?: number;
  /** Whether the password must be changed before anything else. */
  readonly must_change_password: boolean;
};

/** Body of `POST /v1/auth/refresh`. */
export const RefreshRequest = z.object({
  refresh_token: z
    .string()
    .max(512)
    .describe("The last refresh token of the login; each is good for one exchange."),
});

/** Body of `POST /v1/auth/password`. */
export const OwnPasswordRequest = z.object({
  old_password: password.describe("The password as it is."),
  new_password: password.describe("The password to be."),
});

/** The tokens of a new login: the change has ended all others, that of who asked too. */
export type OwnPasswordReply = DoneReply & LoginReply;

/** Body of `POST /v1/admin/setup`. */
export const SetupRequest = z.object({
  username: name.describe("Name of the first account, an administrator's."),
  password: password.describe("Its password."),
  setup_code: z
    .string()
    .max(512)
    .describe("An administrator's key, as the server's start has shown it."),
});

/** Who asks. */
export type WhoReply = {
  /** Whether a key asks, an account, or nobody in particular. */
  readonly kind: "key" | "account" | "anonymous";
  /** Name of the key or account. */
  readonly name: string;
  /** What it may do. */
  readonly permissions: readonly string[];
  /** Whether it may do nothing but change its password, and log out. */
  readonly must_change_password: boolean;
};

/** Body of `POST /v1/admin/users`. */
export const NewUserRequest = z.object({
  username: name.describe("Name of the account."),
  password: password.describe("Its password, of as many characters as the server asks for."),
  permissions: names.default(["inference"]).describe("What it may do. `inference` when left out."),
  must_change_password: z
    .boolean()
    .default(false)
    .describe("Whether it must change its password first. `false` when left out."),
  ...allowance,
});

/** Body of `PUT` and `PATCH /v1/admin/users/{id}`: what is left out stays, `null` takes a limit away. */
export const UserChangeRequest = z.object({
  password: password.optional().describe("Another password. Stays when left out."),
  permissions: names.optional().describe("What it may do. Stays when left out."),
  enabled: z.boolean().optional().describe("Whether it may log in. Stays when left out."),
  must_change_password: z
    .boolean()
    .optional()
    .describe("Whether it must change its password first. Stays when left out."),
  ...allowance,
});

export const UserPasswordRequest = z.object({
  password: password.describe("The account's password to be."),
});
export const PermissionsRequest = z.object({
  permissions: names.describe("What the account may do from now on."),
});

type AllowanceRecord = {
  /** Requests in a minute at most; `null`: as many as come. */
  readonly requests_per_minute: number | null;
  /** Tokens in a day at most, of prompts and answers; `null`: as many as come. */
  readonly tokens_per_day: number | null;
  /** Pictures in a day at most; `null`: as many as come. */
  readonly images_per_day: number | null;
  /** Requests at the same time at most; `null`: as many as come. */
  readonly max_concurrent: number | null;
};

export type UserRecord = AllowanceRecord & {
  /** Id of the account. */
  readonly id: string;
  /** Its name. */
  readonly username: string;
  /** What it may do. */
  readonly permissions: readonly string[];
  /** Whether it may log in. */
  readonly enabled: boolean;
  /** Whether it must change its password first. */
  readonly must_change_password: boolean;
  /** When it was made, ISO 8601. */
  readonly created_at: string;
  /** When it last logged in, ISO 8601; `null`: never. */
  readonly last_login_at: string | null;
};

/** Body of `POST /v1/admin/keys`. */
export const NewKeyRequest = z.object({
  name: name.describe("What the key is called."),
  description: z.string().max(1_000).nullish().describe("What it is for. Nothing when left out."),
  permissions: names.default(["inference"]).describe("What it may do. `inference` when left out."),
  models: z
    .array(z.string().max(100))
    .max(1_000)
    .nullish()
    .describe("Uids of the models that it may ask; all when left out."),
  expires_at: z.iso
    .datetime({ offset: true })
    .nullish()
    .describe("When it ends, ISO 8601 with an offset; never when left out."),
  ...allowance,
});

/** Body of `PUT /v1/admin/keys/{id}`: what is left out stays, `null` takes a limit, an end, or the list of models away. */
export const KeyChangeRequest = z.object({
  name: name.optional().describe("What the key is called. Stays when left out."),
  description: z.string().max(1_000).optional().describe("What it is for. Stays when left out."),
  enabled: z.boolean().optional().describe("Whether it may be used. Stays when left out."),
  permissions: names.optional().describe("What it may do. Stays when left out."),
  models: z
    .array(z.string().max(100))
    .max(1_000)
    .nullish()
    .describe("Uids of the models that it may ask. Stays when left out."),
  expires_at: z.iso
    .datetime({ offset: true })
    .nullish()
    .describe("When it ends, ISO 8601 with an offset. Stays when left out."),
  ...allowance,
});

export type KeyRecord = AllowanceRecord & {
  /** Id of the key. */
  readonly id: string;
  /** What it is called. */
  readonly name: string;
  /** What it is for; perhaps empty. */
  readonly description: string;
  /** Its first letters; the rest is not kept. */
  readonly prefix: string;
  /** Name of the account that made it, or `null`. */
  readonly owner: string | null;
  /** What it may do. */
  readonly permissions: readonly string[];
  /** Uids of the models that it may ask; `null`: all. */
  readonly models: readonly string[] | null;
  /** Whether it may be used. */
  readonly enabled: boolean;
  /** When it was made, ISO 8601. */
  readonly created_at: string;
  /** When it ends, ISO 8601; `null`: never. */
  readonly expires_at: string | null;
  /** When it was last used, ISO 8601; `null`: never. */
  readonly last_used_at: string | null;
  /** What it took since midnight, UTC. */
  readonly used_today: {
    /** Requests. */
    readonly requests: number;
    /** Tokens of prompts and answers. */
    readonly tokens: number;
    /** Pictures. */
    readonly images: number;
  };
};

/** The only time that the key itself is told. */
export type NewKeyReply = KeyRecord & {
  /** The key itself; only this reply has it. */
  readonly api_key: string;
};

export type UsersReply = readonly UserRecord[];
export type KeysReply = readonly KeyRecord[];
export type ClusterAuthReply = {
  /** Whether requests need a key. */
  readonly auth: boolean;
};
export type DoneReply = {
  /** Always `ok`. */
  readonly status: "ok";
};
export type SetupReply = DoneReply & {
  /** Name of the account that was made. */
  readonly username: string;
};

export type SetupStatusReply = {
  /** Whether the first account can still be made. */
  readonly needs_setup: boolean;
  /** Whether there is an account. */
  readonly initialized: boolean;
  /** Characters of a password at least. */
  readonly password_min_length: number;
};
