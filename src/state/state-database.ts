/**
 * The platform's memory: SQLite in a file under `ATALAYA_HOME`, or nothing but memory.
 *
 * Each concern has its tables and their migrations in a file of `tables/`, and what is asked of them in
 * another; see `tables/events.ts` and `event-log.ts` for small ones. Within `transaction()` use what it hands you: asking `tables()` there
 * waits for the transaction itself.
 */
import { type CompiledQuery, Kysely, type QueryResult } from "kysely";
import { PlatformError } from "../base/errors.ts";
import { workerEntry } from "../base/worker-entry.ts";
import { WorkerThread } from "../base/worker-thread.ts";
import { allMigrations } from "./all-migrations.ts";
import type { DatabaseData, Statement, StatementAnswer } from "./database-protocol.ts";
import { ThreadDialect } from "./thread-dialect.ts";

/** A statement broke a rule of its table, such as UNIQUE. */
export class ConstraintError extends Error {
  override readonly name = "ConstraintError";
  /** SQLite's, such as `SQLITE_CONSTRAINT_UNIQUE`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Longer than SQLite itself waits for another program. */
const ANSWER_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 120_000;

export class StateDatabase implements AsyncDisposable {
  readonly #thread: WorkerThread<Statement, StatementAnswer, null>;
  readonly #kysely: Kysely<object>;
  readonly #data: DatabaseData;
  #isClosed = false;

  private constructor(data: DatabaseData) {
    this.#data = data;
    this.#thread = new WorkerThread({
      entry: workerEntry(import.meta.url, "./database-thread"),
      data,
      heapLimitMb: 512,
      startTimeoutMs: START_TIMEOUT_MS,
      maxWaiting: 10_000,
    });
    const dialect = new ThreadDialect(async (query) => await this.#run(query));
    this.#kysely = new Kysely<object>({ dialect });
  }

  /** Nothing is left when it is closed. It opens with the first statement. */
  static inMemory(): StateDatabase {
    return new StateDatabase({
      file: undefined,
      migrations: allMigrations,
      version: "memory",
      mayMigrate: true,
    });
  }

  /**
   * @param options.migrations those of this program; others in tests
   * @throws PlatformError `state_unusable`, `disk_full`
   */
  static async open({
    migrations = allMigrations,
    ...options
  }: Omit<DatabaseData, "migrations" | "file"> & {
    readonly file: string;
    readonly migrations?: DatabaseData["migrations"];
  }): Promise<StateDatabase> {
    const database = new StateDatabase({ ...options, migrations });
    try {
      await database.#thread.start();
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw error instanceof PlatformError ? error : database.#failed(error);
    }
    return database;
  }

  /** The same database, seen as the tables of one concern. */
  tables<Tables extends object>(): Kysely<Tables> {
    // What a file here says of its tables is what its migrations made.
    return this.#kysely as unknown as Kysely<Tables>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#thread[Symbol.asyncDispose]();
  }

  async #run({ sql, parameters }: CompiledQuery): Promise<QueryResult<unknown>> {
    if (this.#isClosed) throw new PlatformError("state_unusable", "The server is shutting down.");
    const answer = await this.#ask({ sql, parameters });
    if ("constraint" in answer) throw new ConstraintError(answer.constraint, answer.message);
    const { rows, numChanges, insertId } = answer;
    return {
      rows: [...rows],
      numAffectedRows: BigInt(numChanges),
      ...(insertId === undefined ? {} : { insertId: BigInt(insertId) }),
    };
  }

  async #ask(statement: Statement): Promise<StatementAnswer> {
    try {
      return await this.#thread.ask(statement, { timeoutMs: ANSWER_TIMEOUT_MS });
    } catch (error) {
      throw error instanceof PlatformError ? error : this.#failed(error);
    }
  }

  #failed(cause: unknown): PlatformError {
    return new PlatformError(
      "state_unusable",
      `The state in ${this.#data.file ?? "the memory"} does not answer. The server's log says more.`,
      { cause },
    );
  }
}
