/** Nobody gives what they do not have, and nobody takes from who has more. */
import { PlatformError } from "../../../base/errors.ts";
import { mayGrant, type Permission, parsePermissions } from "../../../identity/permissions.ts";
import { isLimited, type Principal } from "../../../identity/principal.ts";

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

/**
 * What is given here has limits of its own, or none: who has some would run past them by it.
 *
 * @throws PlatformError `forbidden`
 */
export function refuseLimited(principal: Principal): void {
  if (!isLimited(principal)) return;
  throw new PlatformError(
    "forbidden",
    `Not enough permissions: ${principal.name} is limited in its models or its use, and cannot make or change keys and accounts, which would have limits of their own.`,
  );
}
