/** Launches that clients want remembered: see `supervisor/autostart-entries.ts`, `supervisor/launch-history.ts`. */
import type { Migration } from "../migration.ts";

export const launchesMigrations: readonly Migration[] = [
  {
    name: "launches-1",
    sql: `
      CREATE TABLE autostart_entries (
        uid TEXT PRIMARY KEY,
        enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
        priority INTEGER NOT NULL,
        max_retries INTEGER NOT NULL,
        retry_interval_ms INTEGER NOT NULL,
        model_name TEXT NOT NULL,
        launch TEXT NOT NULL,
        options TEXT NOT NULL
      ) STRICT;
      CREATE TABLE launch_history (
        owner TEXT NOT NULL,
        model_name TEXT NOT NULL,
        model_uid TEXT NOT NULL,
        data TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        PRIMARY KEY (owner, model_name, model_uid)
      ) STRICT;`,
  },
];

export type LaunchesTables = {
  readonly autostart_entries: {
    uid: string;
    enabled: 0 | 1;
    priority: number;
    max_retries: number;
    retry_interval_ms: number;
    model_name: string;
    /** JSON, as its client sent it. */
    launch: string;
    /** JSON: what it is launched with. */
    options: string;
  };
  readonly launch_history: {
    /** An account's or a key's id; empty where nobody is asked who they are. */
    owner: string;
    model_name: string;
    /** Empty where its client gave none. */
    model_uid: string;
    /** JSON. */
    data: string;
    updated_at: string;
  };
};
