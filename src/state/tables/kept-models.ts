/** Which models should be running: see `supervisor/kept-models.ts`. */
import type { Generated } from "kysely";
import type { Migration } from "../migration.ts";

export const keptModelsMigrations: readonly Migration[] = [
  {
    name: "kept-models-1",
    sql: `
      CREATE TABLE kept_models (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL UNIQUE,
        origin TEXT NOT NULL CHECK (origin IN ('command', 'request')),
        is_resting INTEGER NOT NULL CHECK (is_resting IN (0, 1)),
        model_name TEXT NOT NULL,
        directory TEXT NOT NULL,
        options TEXT NOT NULL,
        created_at TEXT NOT NULL
      ) STRICT;`,
  },
];

export type KeptModelsTable = {
  /** Order of the launches. */
  position: Generated<number>;
  uid: string;
  origin: "command" | "request";
  is_resting: 0 | 1;
  model_name: string;
  directory: string;
  /** JSON: what it was launched with. */
  options: string;
  created_at: string;
};
export type KeptModelsTables = { readonly kept_models: KeptModelsTable };
