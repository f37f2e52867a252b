/** What the database's thread is given and asked, and what it answers. */
import type { Migration } from "./migration.ts";

export type DatabaseData = {
  /** Absolute; `undefined` keeps everything in memory. */
  readonly file: string | undefined;
  readonly migrations: readonly Migration[];
  /** Of this program; told to whoever opens the file with an older one. */
  readonly version: string;
  /** Whether tables that are there already may be changed. */
  readonly mayMigrate: boolean;
};

export type Statement = { readonly sql: string; readonly parameters: readonly unknown[] };

export type StatementAnswer =
  | {
      readonly rows: readonly Record<string, unknown>[];
      readonly numChanges: number;
      readonly insertId: number | bigint | undefined;
    }
  /** A rule of the tables that the statement broke; the program may well expect it. */
  | { readonly constraint: string; readonly message: string };
