/** Whose kept things a principal sees: its own, and all of everybody's with the permission `admin`. Pure. */
import type { Viewer } from "../base/viewer.ts";
import { allows } from "./permissions.ts";
import type { Principal } from "./principal.ts";

/** @param isRequired whether strangers are kept out; else nothing is kept from anybody by leaving its key out */
export function viewerOf({ kind, id, permissions }: Principal, isRequired: boolean): Viewer {
  const isAnonymous = kind === "anonymous";
  return {
    owner: isAnonymous ? null : id,
    seesAll: allows(permissions, "admin"),
    seesOwnerless: isAnonymous || !isRequired,
  };
}
