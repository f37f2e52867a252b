/** What happened: see `event-log.ts`. */
import type { Generated } from "kysely";
import type { Migration } from "../migration.ts";

export const eventsMigrations: readonly Migration[] = [
  {
    name: "events-1",
    sql: `
      CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        type TEXT NOT NULL,
        subject TEXT,
        actor TEXT,
        details TEXT NOT NULL
      ) STRICT;
      CREATE INDEX events_by_subject ON events (subject, id);`,
  },
];

export type EventsTable = {
  id: Generated<number>;
  at: string;
  type: string;
  subject: string | null;
  actor: string | null;
  details: string;
};
export type EventsTables = { readonly events: EventsTable };
