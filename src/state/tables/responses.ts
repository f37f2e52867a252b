/** Responses that were to be stored: see `server/routes/openai/responses/kept-responses.ts`. */
import type { Migration } from "../migration.ts";

export const responsesMigrations: readonly Migration[] = [
  {
    name: "responses-1",
    sql: `
      CREATE TABLE responses (
        id TEXT PRIMARY KEY,
        created_at INTEGER NOT NULL,
        is_under_way INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        record TEXT NOT NULL,
        input TEXT NOT NULL
      ) STRICT;
      CREATE INDEX responses_by_age ON responses (created_at);
      CREATE TABLE response_items (
        id TEXT NOT NULL,
        response_id TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
        PRIMARY KEY (id, response_id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX items_by_response ON response_items (response_id);`,
  },
  { name: "responses-2", sql: "ALTER TABLE responses ADD COLUMN owner TEXT;" },
];

export type ResponsesTable = {
  id: string;
  /** Seconds since 1970. */
  created_at: number;
  is_under_way: 0 | 1;
  size_bytes: number;
  /** JSON, as the next. */
  record: string;
  input: string;
  /** A principal's id; null: made when nobody needed a key. */
  owner: string | null;
};

export type ResponsesTables = {
  readonly responses: ResponsesTable;
  readonly response_items: { id: string; response_id: string };
};
