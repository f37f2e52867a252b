/** Batches, and the results of their lines until they are files: see `batches/batch-store.ts`. */
import type { Generated } from "kysely";
import type { Migration } from "../migration.ts";

export const batchesMigrations: readonly Migration[] = [
  {
    name: "batches-1",
    sql: `
      CREATE TABLE batches (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        is_finished INTEGER NOT NULL,
        record TEXT NOT NULL
      ) STRICT;
      CREATE TABLE batch_lines (
        batch_id TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
        line INTEGER NOT NULL,
        is_good INTEGER NOT NULL,
        result TEXT NOT NULL,
        PRIMARY KEY (batch_id, line)
      ) STRICT, WITHOUT ROWID;`,
  },
  {
    name: "batches-2",
    sql: `
      ALTER TABLE batches ADD COLUMN owner TEXT;
      CREATE INDEX batches_by_owner ON batches (owner, seq);`,
  },
];

export type BatchesTable = {
  seq: Generated<number>;
  id: string;
  is_finished: 0 | 1;
  /** JSON. */
  record: string;
  /** A principal's id; null: made when nobody needed a key. */
  owner: string | null;
};

export type BatchLinesTable = {
  batch_id: string;
  /** From 0. */
  line: number;
  is_good: 0 | 1;
  /** One line of an output or error file. */
  result: string;
};

export type BatchesTables = {
  readonly batches: BatchesTable;
  readonly batch_lines: BatchLinesTable;
};
