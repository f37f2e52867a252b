/** What of a table somebody may see, as a condition on its rows. */
import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { Viewer } from "../base/viewer.ts";

/**
 * Part of the statement that looks for an id, so that another's row is not there, in the same time.
 *
 * @param column that names the owner
 * @see `sees` in `base/viewer.ts`
 */
export function seenBy(viewer: Viewer, column = "owner"): RawBuilder<SqlBool> {
  const { owner, seesAll, seesOwnerless } = viewer;
  if (seesAll) return sql<SqlBool>`1`;
  const named = sql.ref(column);
  // Nothing equals NULL: who has no name owns nothing by it.
  return seesOwnerless
    ? sql<SqlBool>`(${named} = ${owner} OR ${named} IS NULL)`
    : sql<SqlBool>`${named} = ${owner}`;
}
