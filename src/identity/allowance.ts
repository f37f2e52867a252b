/** An allowance in a row of the database, and back. */
import type { AccountsTable } from "../state/tables/identity.ts";
import type { Allowance, AllowanceChange } from "./principal.ts";

type Columns = Pick<
  AccountsTable,
  "requests_per_minute" | "tokens_per_day" | "images_per_day" | "max_concurrent"
>;

export function toColumns(allowance: Partial<Allowance>): Columns {
  return {
    requests_per_minute: allowance.requestsPerMinute ?? null,
    tokens_per_day: allowance.tokensPerDay ?? null,
    images_per_day: allowance.imagesPerDay ?? null,
    max_concurrent: allowance.maxConcurrent ?? null,
  };
}

/** @returns the columns of what changes alone */
export function toChangedColumns(change: AllowanceChange): Partial<Columns> {
  const { requestsPerMinute, tokensPerDay, imagesPerDay, maxConcurrent } = change;
  return {
    ...(requestsPerMinute !== undefined && { requests_per_minute: requestsPerMinute }),
    ...(tokensPerDay !== undefined && { tokens_per_day: tokensPerDay }),
    ...(imagesPerDay !== undefined && { images_per_day: imagesPerDay }),
    ...(maxConcurrent !== undefined && { max_concurrent: maxConcurrent }),
  };
}

export function fromColumns(columns: Columns): Allowance {
  return {
    requestsPerMinute: columns.requests_per_minute ?? undefined,
    tokensPerDay: columns.tokens_per_day ?? undefined,
    imagesPerDay: columns.images_per_day ?? undefined,
    maxConcurrent: columns.max_concurrent ?? undefined,
  };
}
