/**
 * The thread that holds the connection to SQLite: a write waits for the disk, and for other programs
 * that write the same file, and the event loop must wait for neither.
 */
import { closeSync, linkSync, openSync, rmSync, statSync } from "node:fs";
import Database from "libsql";
import { PlatformError } from "../base/errors.ts";
import { serveThread } from "../base/serve-thread.ts";
import type { DatabaseData, Statement, StatementAnswer } from "./database-protocol.ts";
import { isDraft, migrate } from "./migrate.ts";
import { damaged, isFailureOfTheStore, toStateError } from "./state-error.ts";

/** Another program may hold the file's lock for so long. */
const BUSY_TIMEOUT_MS = 10_000;
/** Prepared statements that are kept. */
const MAX_PREPARED = 300;

const nothing: StatementAnswer = { rows: [], numChanges: 0, insertId: undefined };

serveThread<DatabaseData, Statement, StatementAnswer, null>((data) => {
  const connection = open(data);
  const prepared = new Map<string, Database.Statement>();

  function prepare(sql: string): Database.Statement {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    if (prepared.size >= MAX_PREPARED) prepared.clear();
    const statement = connection.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  }

  return {
    ready: null,
    answer: ({ sql, parameters }) => {
      try {
        // SQLite itself takes back what a full disk has cut short.
        if (sql === "ROLLBACK" && !connection.inTransaction) return nothing;
        const statement = prepare(sql);
        // One list: given one by one, bytes that stand alone are taken for a list themselves.
        const values = parameters.map(toValue);
        if (!statement.reader) {
          const { changes, lastInsertRowid } = statement.run(values);
          return { rows: [], numChanges: changes, insertId: lastInsertRowid };
        }
        const rows = statement.all(values) as Record<string, unknown>[];
        for (const row of rows) unwrapBytes(row);
        return { rows, numChanges: rows.length, insertId: undefined };
      } catch (error) {
        return refusal(error, data.file);
      }
    },
  };
});

function open(data: DatabaseData): Database.Database {
  const { file } = data;
  try {
    if (file === undefined) return connect(":memory:", data);
    const before = statSync(file, { throwIfNoEntry: false });
    if (before?.size === 0) throw new PlatformError("state_unusable", damaged(file));
    if (before === undefined) create(file, data);
    return connect(file, data);
  } catch (error) {
    throw error instanceof PlatformError ? error : toStateError(error, file);
  }
}

function connect(file: string, data: DatabaseData): Database.Database {
  const connection = new Database(file);
  connection.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  // A draft is one file, so that one name is all it needs.
  if (!isDraft(file)) connection.pragma("journal_mode = WAL");
  connection.pragma("synchronous = FULL");
  connection.pragma("foreign_keys = ON");
  migrate(connection, file, data);
  return connection;
}

/**
 * A new database gets its name when it is whole. So an empty file under that name is a damaged one, and
 * never taken for a fresh start.
 */
function create(file: string, data: DatabaseData): void {
  const draft = `${file}.${process.pid}.new`;
  rmSync(draft, { force: true });
  // SQLite gives its other files the mode of this one.
  closeSync(openSync(draft, "wx", 0o600));
  connect(draft, data).close();
  try {
    linkSync(draft, file);
  } catch (error) {
    // Another program was quicker, with the same tables.
    if (!isCode(error, "EEXIST")) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** What SQLite has a type for; what it has none for would end the process from inside the library. */
function toValue(value: unknown): unknown {
  const isValue =
    value === null ||
    ["string", "number", "bigint"].includes(typeof value) ||
    value instanceof Uint8Array;
  if (isValue) return value;
  throw new TypeError(`a statement's parameter is a ${typeof value}`);
}

/** Bytes come as `ArrayBuffer`; everybody else speaks of `Uint8Array`. */
function unwrapBytes(row: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value);
  }
}

function refusal(error: unknown, file: string | undefined): StatementAnswer {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code.startsWith("SQLITE_CONSTRAINT")) {
    return { constraint: code, message: error instanceof Error ? error.message : code };
  }
  // A statement that cannot be is a bug; it ends the thread, and says so.
  if (!isFailureOfTheStore(code)) throw error;
  throw toStateError(error, file);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
