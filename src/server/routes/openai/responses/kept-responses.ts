/**
 * Responses in the state, for whoever said `"store": true`. They are kept for 30 days, and no longer than
 * all together are below a bound; deleting one deletes what was said.
 */
import type { ResponseObject, ResponseStoredItem } from "@atalaya/protocol";
import type { Viewer } from "../../../../base/viewer.ts";
import { seenBy } from "../../../../state/seen-by.ts";
import type { StateDatabase } from "../../../../state/state-database.ts";
import type { ResponsesTable, ResponsesTables } from "../../../../state/tables/responses.ts";
import { isUnderWay, itemsOf, type ResponseStore, type StoredResponse } from "./response-store.ts";

const maxAgeSeconds = 30 * 24 * 60 * 60;

export class KeptResponses implements ResponseStore {
  readonly #database: StateDatabase;
  readonly #maxBytes: number;
  readonly #now: () => number;
  #cleaned: Promise<void> | undefined;

  constructor(
    database: StateDatabase,
    {
      maxBytes = 1024 * 1024 * 1024,
      now = () => Date.now(),
    }: { readonly maxBytes?: number; readonly now?: () => number } = {},
  ) {
    this.#database = database;
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  async put(stored: StoredResponse): Promise<void> {
    await this.#clean();
    const { owner, response, input } = stored;
    const record = JSON.stringify(response);
    const inputJson = JSON.stringify(input);
    await this.#tables.transaction().execute(async (transaction) => {
      await transaction
        .insertInto("responses")
        .values({
          id: response.id,
          owner,
          created_at: response.created_at,
          is_under_way: isUnderWay(response) ? 1 : 0,
          size_bytes: Buffer.byteLength(record) + Buffer.byteLength(inputJson),
          record,
          input: inputJson,
        })
        .execute();
      await this.#nameItems(transaction, { response, input });
    });
    await this.#makeRoom();
  }

  async update(response: ResponseObject): Promise<boolean> {
    await this.#clean();
    const record = JSON.stringify(response);
    return await this.#tables.transaction().execute(async (transaction) => {
      const { numUpdatedRows } = await transaction
        .updateTable("responses")
        .set({
          record,
          is_under_way: isUnderWay(response) ? 1 : 0,
          size_bytes: (eb) =>
            eb(eb.fn<number>("octet_length", ["input"]), "+", Buffer.byteLength(record)),
        })
        .where("id", "=", response.id)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return false;
      await this.#nameItems(transaction, { response, input: [] });
      return true;
    });
  }

  async get(id: string, viewer: Viewer): Promise<StoredResponse | undefined> {
    await this.#clean();
    const row = await this.#tables
      .selectFrom("responses")
      .select(["record", "input", "owner"])
      .where("id", "=", id)
      .where(seenBy(viewer))
      .where("created_at", ">", this.#oldest())
      .executeTakeFirst();
    return row === undefined ? undefined : toStored(row);
  }

  async findItem(id: string, viewer: Viewer): Promise<ResponseStoredItem | undefined> {
    await this.#clean();
    const row = await this.#tables
      .selectFrom("response_items")
      .innerJoin("responses", "responses.id", "response_items.response_id")
      .select(["responses.record", "responses.input", "responses.owner"])
      .where("response_items.id", "=", id)
      .where(seenBy(viewer, "responses.owner"))
      .where("responses.created_at", ">", this.#oldest())
      .executeTakeFirst();
    return row === undefined ? undefined : itemsOf(toStored(row)).find((item) => item.id === id);
  }

  async delete(id: string, viewer: Viewer): Promise<boolean> {
    await this.#clean();
    const { numDeletedRows } = await this.#tables
      .deleteFrom("responses")
      .where("id", "=", id)
      .where(seenBy(viewer))
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }

  async #nameItems(
    tables: Pick<StateDatabaseTables, "insertInto">,
    stored: Pick<StoredResponse, "input" | "response">,
  ): Promise<void> {
    const items = itemsOf(stored).map(({ id }) => ({ id, response_id: stored.response.id }));
    if (items.length === 0) return;
    await tables
      .insertInto("response_items")
      .values(items)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** Once: what was under way when the last server ended will not go on. */
  async #clean(): Promise<void> {
    this.#cleaned ??= this.#endInterrupted();
    await this.#cleaned;
  }

  async #endInterrupted(): Promise<void> {
    const rows = await this.#tables
      .selectFrom("responses")
      .select(["id", "record"])
      .where("is_under_way", "=", 1)
      .execute();
    for (const { id, record } of rows) {
      const failed: ResponseObject = {
        // We wrote it.
        ...(JSON.parse(record) as ResponseObject),
        status: "failed",
        error: { code: "worker_failed", message: "The server ended before the answer did." },
      };
      await this.#tables
        .updateTable("responses")
        .set({ record: JSON.stringify(failed), is_under_way: 0 })
        .where("id", "=", id)
        .execute();
    }
  }

  async #makeRoom(): Promise<void> {
    await this.#tables.deleteFrom("responses").where("created_at", "<=", this.#oldest()).execute();
    for (;;) {
      const sum = await this.#tables
        .selectFrom("responses")
        .select((eb) => eb.fn.sum<number | null>("size_bytes").as("total"))
        .executeTakeFirst();
      if ((sum?.total ?? 0) <= this.#maxBytes) return;
      await this.#tables
        .deleteFrom("responses")
        .where("id", "in", (eb) =>
          eb.selectFrom("responses").select("id").orderBy("created_at").orderBy("id").limit(16),
        )
        .execute();
    }
  }

  #oldest(): number {
    return Math.floor(this.#now() / 1_000) - maxAgeSeconds;
  }

  get #tables() {
    return this.#database.tables<ResponsesTables>();
  }
}

type StateDatabaseTables = ReturnType<typeof StateDatabase.prototype.tables<ResponsesTables>>;

function toStored({
  record,
  input,
  owner,
}: Pick<ResponsesTable, "record" | "input" | "owner">): StoredResponse {
  // We wrote it.
  return {
    owner,
    response: JSON.parse(record) as ResponseObject,
    input: JSON.parse(input) as ResponseStoredItem[],
  };
}

/** Looks in both places; each response is in one of them. */
export class Responses implements ResponseStore {
  readonly #kept: ResponseStore;
  readonly #recent: ResponseStore;

  constructor({ kept, recent }: { readonly kept: ResponseStore; readonly recent: ResponseStore }) {
    this.#kept = kept;
    this.#recent = recent;
  }

  /** Onto the disk only when somebody said so: conversations are nobody else's business. */
  async put(stored: StoredResponse, { onDisk = false } = {}): Promise<void> {
    await (onDisk ? this.#kept : this.#recent).put(stored);
  }

  async update(response: ResponseObject): Promise<boolean> {
    return (await this.#recent.update(response)) || (await this.#kept.update(response));
  }

  async get(id: string, viewer: Viewer): Promise<StoredResponse | undefined> {
    return (await this.#recent.get(id, viewer)) ?? (await this.#kept.get(id, viewer));
  }

  /** Items have names that clients choose: of two that are called the same, whoever asks means its own. */
  async findItem(id: string, viewer: Viewer): Promise<ResponseStoredItem | undefined> {
    const { owner } = viewer;
    const own: Viewer = { owner, seesAll: false, seesOwnerless: owner === null };
    for (const eyes of viewer.seesAll ? [own, viewer] : [viewer]) {
      const found =
        (await this.#recent.findItem(id, eyes)) ?? (await this.#kept.findItem(id, eyes));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async delete(id: string, viewer: Viewer): Promise<boolean> {
    return (await this.#recent.delete(id, viewer)) || (await this.#kept.delete(id, viewer));
  }
}
