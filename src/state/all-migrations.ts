/** Every migration of this program, in order. Add yours at the end. */
import type { Migration } from "./migration.ts";
import { batchesMigrations } from "./tables/batches.ts";
import { eventsMigrations } from "./tables/events.ts";
import { filesMigrations } from "./tables/files.ts";
import { identityMigrations } from "./tables/identity.ts";
import { keptModelsMigrations } from "./tables/kept-models.ts";
import { launchesMigrations } from "./tables/launches.ts";
import { responsesMigrations } from "./tables/responses.ts";

export const allMigrations: readonly Migration[] = [
  ...eventsMigrations,
  ...keptModelsMigrations,
  ...filesMigrations,
  ...batchesMigrations,
  ...responsesMigrations,
  ...identityMigrations,
  ...launchesMigrations,
];
