/** Nobody gives what they do not have, and nobody takes from who has more. */
import { PlatformError } from "../../../base/errors.ts";
import { mayGrant, type Permission, parsePermissions } from "../../../identity/permissions.ts";
import type { Principal } from "../../../identity/principal.ts";

/** @throws PlatformError `invalid_request`, `forbidden` */
export function permissionsToGrant(
  names: readonly string[],
  principal: Principal,
): readonly Permission[] {
  const wanted = parsePermissions(names);
  if (mayGrant(principal.permissions, wanted)) return wanted;
  const beyond = wanted.filter((permission) => !mayGrant(principal.permissions, [permission]));
  throw new PlatformError(
    "forbidden",
    `Not enough permissions: ${principal.name} cannot give ${beyond.join(", ")}, which it does not have.`,
    { details: { param: "permissions" } },
  );
}

/** @throws PlatformError `forbidden` when `other` may more than `principal` */
export function refuseAbove(
  other: { readonly permissions: readonly Permission[] },
  principal: Principal,
): void {
  if (mayGrant(principal.permissions, other.permissions)) return;
  throw new PlatformError(
    "forbidden",
    `Not enough permissions: that one may do more than ${principal.name}.`,
  );
}
