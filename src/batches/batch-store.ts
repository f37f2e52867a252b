/** Batches and the results of their lines, in the state: what a crash must not lose. */
import type { Viewer } from "../base/viewer.ts";
import { seenBy } from "../state/seen-by.ts";
import type { StateDatabase } from "../state/state-database.ts";
import type { BatchesTable, BatchesTables } from "../state/tables/batches.ts";
import { type BatchRecord, isFinished } from "./batch-record.ts";

export type LineResult = {
  /** From 0. */
  readonly line: number;
  readonly isGood: boolean;
  /** A line of an output or error file. */
  readonly result: string;
};

/** Results read at a time, when files are made of them. */
const pageSize = 200;

export class BatchStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  async add(record: BatchRecord): Promise<void> {
    await this.#tables
      .insertInto("batches")
      .values({ id: record.id, owner: record.owner, is_finished: 0, record: toJson(record) })
      .execute();
  }

  /** @returns `undefined` when it is another's, too */
  async get(id: string, viewer: Viewer): Promise<BatchRecord | undefined> {
    const row = await this.#tables
      .selectFrom("batches")
      .select(["record", "owner"])
      .where("id", "=", id)
      .where(seenBy(viewer))
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const record = toRecord(row);
    return isFinished(record) ? record : { ...record, ...(await this.count(id)) };
  }

  async list({
    viewer,
    after,
    limit,
  }: {
    readonly viewer: Viewer;
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<{ readonly batches: readonly BatchRecord[]; readonly hasMore: boolean }> {
    const seen = seenBy(viewer);
    let query = this.#tables
      .selectFrom("batches")
      .select(["id"])
      .where(seen)
      .orderBy("seq", "desc");
    if (after !== undefined) {
      const batch = this.#tables.selectFrom("batches").where("id", "=", after);
      // A place behind another's batch would tell that it is there.
      const seq = batch.select("seq").where(seen);
      query = query.where("seq", "<", seq);
    }
    const rows = await query.limit(limit + 1).execute();
    const found = await Promise.all(rows.slice(0, limit).map(({ id }) => this.get(id, viewer)));
    return {
      batches: found.filter((record) => record !== undefined),
      hasMore: rows.length > limit,
    };
  }

  /** The oldest first. */
  async unfinished(): Promise<readonly BatchRecord[]> {
    const rows = await this.#tables
      .selectFrom("batches")
      .select(["record", "owner"])
      .where("is_finished", "=", 0)
      .orderBy("seq")
      .execute();
    return rows.map(toRecord);
  }

  async update(record: BatchRecord): Promise<void> {
    await this.#tables
      .updateTable("batches")
      .set({ is_finished: isFinished(record) ? 1 : 0, record: toJson(record) })
      .where("id", "=", record.id)
      .execute();
  }

  /** The last state, and its lines are forgotten: they are in files now. */
  async finish(record: BatchRecord): Promise<void> {
    await this.#tables.transaction().execute(async (transaction) => {
      await transaction
        .updateTable("batches")
        .set({ is_finished: 1, record: toJson(record) })
        .where("id", "=", record.id)
        .execute();
      await transaction.deleteFrom("batch_lines").where("batch_id", "=", record.id).execute();
    });
  }

  /** When this has returned, the line is not done again, whatever happens. */
  async addResult(batchId: string, { line, isGood, result }: LineResult): Promise<void> {
    await this.#tables
      .insertInto("batch_lines")
      .values({ batch_id: batchId, line, is_good: isGood ? 1 : 0, result })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  async doneLines(batchId: string): Promise<ReadonlySet<number>> {
    const rows = await this.#tables
      .selectFrom("batch_lines")
      .select("line")
      .where("batch_id", "=", batchId)
      .execute();
    return new Set(rows.map(({ line }) => line));
  }

  async count(batchId: string): Promise<{ readonly completed: number; readonly failed: number }> {
    const rows = await this.#tables
      .selectFrom("batch_lines")
      .select((eb) => ["is_good", eb.fn.countAll<number>().as("lines")])
      .where("batch_id", "=", batchId)
      .groupBy("is_good")
      .execute();
    const of = (isGood: number): number =>
      rows.find(({ is_good: good }) => good === isGood)?.lines ?? 0;
    return { completed: of(1), failed: of(0) };
  }

  /** @yields the lines of a file, in the order of the input, each with its line break */
  async *results(batchId: string, isGood: boolean): AsyncGenerator<string, void> {
    for (let after = -1; ; ) {
      const rows = await this.#tables
        .selectFrom("batch_lines")
        .select(["line", "result"])
        .where("batch_id", "=", batchId)
        .where("is_good", "=", isGood ? 1 : 0)
        .where("line", ">", after)
        .orderBy("line")
        .limit(pageSize)
        .execute();
      for (const { result } of rows) yield `${result}\n`;
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.line;
    }
  }

  get #tables() {
    return this.#database.tables<BatchesTables>();
  }
}

/** Its owner has a column of its own. */
function toJson(record: BatchRecord): string {
  return JSON.stringify({ ...record, owner: undefined });
}

function toRecord({ record, owner }: Pick<BatchesTable, "record" | "owner">): BatchRecord {
  // We wrote it.
  return { ...(JSON.parse(record) as Omit<BatchRecord, "owner">), owner };
}
