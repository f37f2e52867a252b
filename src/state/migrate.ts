/** Brings a database to the form that this program knows, or says why it cannot. */
import { closeSync, openSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type Database from "libsql";
import { PlatformError } from "../base/errors.ts";
import type { DatabaseData } from "./database-protocol.ts";
import type { Migration } from "./migration.ts";
import { damaged } from "./state-error.ts";

type Applied = { readonly name: string; readonly version: string };

/**
 * @param file what the connection is open on, which may be a draft
 * @throws PlatformError `state_unusable` when the file is damaged, is no state of ours, was written by
 *   a newer program, or must be changed while an older one uses it
 */
export function migrate(connection: Database.Database, file: string, data: DatabaseData): void {
  const { migrations, version } = data;
  const applied = readApplied(connection, file);
  refuseNewer(applied ?? [], data, file);
  const pending = pendingOf(migrations, applied ?? []);
  if (pending.length === 0) return;
  if (applied !== undefined) {
    if (!data.mayMigrate) throw otherVersionRuns(applied, data);
    backUp(connection, file, applied);
  }
  connection.exec("BEGIN IMMEDIATE");
  try {
    connection.exec(
      "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, version TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT",
    );
    const remember = connection.prepare("INSERT INTO migrations VALUES (?, ?, ?)");
    // Another program may have done some of it meanwhile.
    for (const { name, sql } of pendingOf(migrations, namesIn(connection))) {
      connection.exec(sql);
      remember.run(name, version, new Date().toISOString());
    }
    connection.exec("COMMIT");
  } catch (error) {
    if (connection.inTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}

/** `undefined`: there is nothing yet. */
function readApplied(connection: Database.Database, file: string): Applied[] | undefined {
  const [check] = connection.pragma("quick_check(1)") as { readonly quick_check?: unknown }[];
  if (check?.quick_check !== "ok") throw new PlatformError("state_unusable", damaged(file));
  const tables = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  if (tables.length === 0 && isDraft(file)) return undefined;
  const isOurs = tables.some((table) => (table as Applied).name === "migrations");
  if (!isOurs) throw new PlatformError("state_unusable", damaged(file));
  return namesIn(connection);
}

function namesIn(connection: Database.Database): Applied[] {
  return connection
    .prepare("SELECT name, version FROM migrations ORDER BY rowid")
    .all() as Applied[];
}

/** A database that has no name yet, or never gets one. */
export function isDraft(file: string): boolean {
  return file === ":memory:" || file.endsWith(".new");
}

function pendingOf(migrations: readonly Migration[], applied: readonly Applied[]): Migration[] {
  const names = new Set(applied.map(({ name }) => name));
  return migrations.filter(({ name }) => !names.has(name));
}

function refuseNewer(applied: readonly Applied[], data: DatabaseData, file: string): void {
  const known = new Set(data.migrations.map(({ name }) => name));
  const unknown = applied.findLast(({ name }) => !known.has(name));
  if (unknown === undefined) return;
  throw new PlatformError(
    "state_unusable",
    `The state in ${file} was last changed by Atalaya ${unknown.version} and has "${unknown.name}", which this version, ${data.version}, does not know. Run that version or a later one, or set ATALAYA_HOME to another directory.`,
  );
}

function otherVersionRuns(applied: readonly Applied[], data: DatabaseData): PlatformError {
  return new PlatformError(
    "state_unusable",
    `The running server uses this state in the form of Atalaya ${applied.at(-1)?.version ?? "unknown"}; this is ${data.version}. Restart the server with this version first.`,
  );
}

/** A copy from before the change, beside the file, for whoever wants to go back. */
function backUp(connection: Database.Database, file: string, applied: readonly Applied[]): void {
  if (isDraft(file)) return;
  const before = applied.at(-1)?.version ?? "unknown";
  const time = new Date().toISOString().replaceAll(":", "-");
  const copy = join(dirname(file), `${basename(file, ".db")}-before-${time}-${before}.db`);
  // SQLite writes into an empty file, and keeps its mode.
  closeSync(openSync(copy, "wx", 0o600));
  connection.prepare("VACUUM INTO ?").run(copy);
}
