/**
 * What a key or an account may do: Xinference's names, both generations of them. Pure.
 *
 * @see xinference `api/oauth2`: `models:start` and `models:stop` became `models:write`, `models:add` and
 *   `models:unregister` became `models:register`
 */
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";

export const permissions = [
  "models:list",
  /** Ask models questions. */
  "models:read",
  /** Launch and terminate. */
  "models:write",
  "models:register",
  "cache:list",
  "cache:delete",
  "virtualenv:list",
  "virtualenv:delete",
  "logs:list",
  "monitor:view",
  "keys:create",
  "keys:manage",
  "users:manage",
  /** Everything. */
  "admin",
] as const;

export type Permission = (typeof permissions)[number];

/** Sets of permissions that have a name. */
export const roles = {
  inference: ["models:list", "models:read"],
  operator: [
    "models:list",
    "models:read",
    "models:write",
    "models:register",
    "cache:list",
    "cache:delete",
    "virtualenv:list",
    "virtualenv:delete",
    "logs:list",
    "monitor:view",
  ],
  admin: ["admin"],
} as const satisfies Record<string, readonly Permission[]>;

export type Role = keyof typeof roles;

const aliases: Readonly<Record<string, Permission>> = {
  "models:start": "models:write",
  "models:stop": "models:write",
  "models:add": "models:register",
  "models:unregister": "models:register",
};

/** @returns whether `granted` suffices for `needed` */
export function allows(granted: readonly Permission[], needed: Permission): boolean {
  return granted.includes("admin") || granted.includes(needed);
}

/** Nobody gives what they do not have. */
export function mayGrant(own: readonly Permission[], wanted: readonly Permission[]): boolean {
  return wanted.every((permission) => allows(own, permission));
}

/** What both have. */
export function commonPermissions(
  some: readonly Permission[],
  others: readonly Permission[],
): readonly Permission[] {
  return [
    ...some.filter((permission) => allows(others, permission)),
    ...others.filter((permission) => !some.includes(permission) && allows(some, permission)),
  ];
}

/**
 * Names of permissions and roles, in any mixture, as people and Xinference's files write them.
 *
 * @throws PlatformError `invalid_request`
 */
export function parsePermissions(names: readonly string[]): readonly Permission[] {
  return [...new Set(names.flatMap(parseName))];
}

function parseName(name: string): readonly Permission[] {
  if (isRole(name)) return roles[name];
  const known = permissions.find((permission) => permission === name) ?? aliases[name];
  if (known !== undefined) return [known];
  const shown = /^[\w:.-]{1,64}$/.test(name) ? `"${name}"` : "of that name";
  const all = [...Object.keys(roles), ...permissions];
  throw new PlatformError(
    "invalid_request",
    `There is no permission ${shown}; there are ${all.join(", ")}.${didYouMean(name, all)}`,
    { details: { param: "permissions" } },
  );
}

function isRole(name: string): name is Role {
  return Object.hasOwn(roles, name);
}
