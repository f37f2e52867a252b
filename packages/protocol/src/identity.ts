/** Logins, accounts and keys: Xinference's words where it has some. */
import { z } from "zod";

const name = z.string().min(1).max(128);
const password = z.string().max(1_024);
const names = z.array(z.string().max(64)).max(64);
const limit = z.int().positive().max(Number.MAX_SAFE_INTEGER).nullish();

const allowance = {
  requests_per_minute: limit,
  tokens_per_day: limit,
  images_per_day: limit,
  max_concurrent: limit,
};

/** Body of `POST /token`. */
export const LoginRequest = z.object({ username: name, password });
export type LoginRequest = z.infer<typeof LoginRequest>;

export type LoginReply = {
  readonly access_token: string;
  readonly token_type: "bearer";
  /** Not for accounts of an `--auth-config` file. */
  readonly refresh_token?: string;
  /** Seconds. */
  readonly expires_in?: number;
  readonly must_change_password: boolean;
};

/** Body of `POST /v1/auth/refresh`. */
export const RefreshRequest = z.object({ refresh_token: z.string().max(512) });

/** Body of `POST /v1/auth/password`. */
export const OwnPasswordRequest = z.object({ old_password: password, new_password: password });

/** The tokens of a new login: the change has ended all others, that of who asked too. */
export type OwnPasswordReply = DoneReply & LoginReply;

/** Body of `POST /v1/admin/setup`. */
export const SetupRequest = z.object({
  username: name,
  password,
  /** An administrator's key, as the server's start has shown it. */
  setup_code: z.string().max(512),
});

/** Who asks. */
export type WhoReply = {
  readonly kind: "key" | "account" | "anonymous";
  readonly name: string;
  readonly permissions: readonly string[];
  /** Whether it may do nothing but change its password, and log out. */
  readonly must_change_password: boolean;
};

/** Body of `POST /v1/admin/users`. */
export const NewUserRequest = z.object({
  username: name,
  password,
  permissions: names.default(["inference"]),
  must_change_password: z.boolean().default(false),
  ...allowance,
});

/** Body of `PUT` and `PATCH /v1/admin/users/{id}`: what is left out stays, `null` takes a limit away. */
export const UserChangeRequest = z.object({
  password: password.optional(),
  permissions: names.optional(),
  enabled: z.boolean().optional(),
  must_change_password: z.boolean().optional(),
  ...allowance,
});

export const UserPasswordRequest = z.object({ password });
export const PermissionsRequest = z.object({ permissions: names });

type AllowanceRecord = {
  readonly requests_per_minute: number | null;
  readonly tokens_per_day: number | null;
  readonly images_per_day: number | null;
  readonly max_concurrent: number | null;
};

export type UserRecord = AllowanceRecord & {
  readonly id: string;
  readonly username: string;
  readonly permissions: readonly string[];
  readonly enabled: boolean;
  readonly must_change_password: boolean;
  readonly created_at: string;
  readonly last_login_at: string | null;
};

/** Body of `POST /v1/admin/keys`. */
export const NewKeyRequest = z.object({
  name,
  description: z.string().max(1_000).nullish(),
  permissions: names.default(["inference"]),
  /** Uids that it may ask; all when left out. */
  models: z.array(z.string().max(100)).max(1_000).nullish(),
  expires_at: z.iso.datetime({ offset: true }).nullish(),
  ...allowance,
});

/** Body of `PUT /v1/admin/keys/{id}`: what is left out stays, `null` takes a limit, an end, or the list of models away. */
export const KeyChangeRequest = z.object({
  name: name.optional(),
  description: z.string().max(1_000).optional(),
  enabled: z.boolean().optional(),
  permissions: names.optional(),
  models: z.array(z.string().max(100)).max(1_000).nullish(),
  expires_at: z.iso.datetime({ offset: true }).nullish(),
  ...allowance,
});

export type KeyRecord = AllowanceRecord & {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Its first letters. */
  readonly prefix: string;
  readonly owner: string | null;
  readonly permissions: readonly string[];
  readonly models: readonly string[] | null;
  readonly enabled: boolean;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
  readonly used_today: {
    readonly requests: number;
    readonly tokens: number;
    readonly images: number;
  };
};

/** The only time that the key itself is told. */
export type NewKeyReply = KeyRecord & { readonly api_key: string };

export type UsersReply = readonly UserRecord[];
export type KeysReply = readonly KeyRecord[];
export type ClusterAuthReply = { readonly auth: boolean };
export type DoneReply = { readonly status: "ok" };
export type SetupReply = DoneReply & { readonly username: string };

export type SetupStatusReply = {
  readonly needs_setup: boolean;
  readonly initialized: boolean;
  readonly password_min_length: number;
};
