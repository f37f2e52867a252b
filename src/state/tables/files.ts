/** What is known of the files that clients sent or batches made: see `files/file-store.ts`. */
import type { Generated } from "kysely";
import type { Migration } from "../migration.ts";

export const filesMigrations: readonly Migration[] = [
  {
    name: "files-1",
    sql: `
      CREATE TABLE files (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        filename TEXT NOT NULL,
        purpose TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER
      ) STRICT;
      CREATE INDEX files_by_expiry ON files (expires_at);`,
  },
  {
    name: "files-2",
    sql: `
      ALTER TABLE files ADD COLUMN owner TEXT;
      CREATE INDEX files_by_owner ON files (owner, seq);`,
  },
];

export type FilesTable = {
  seq: Generated<number>;
  id: string;
  filename: string;
  purpose: string;
  size_bytes: number;
  /** Seconds since 1970, as the next. */
  created_at: number;
  expires_at: number | null;
  /** A principal's id; null: made when nobody needed a key. */
  owner: string | null;
};
export type FilesTables = { readonly files: FilesTable };
