/** What happened to models and to access, kept for whoever asks later; never what was in a request. */
import type { Selectable } from "kysely";
import type { StateDatabase } from "./state-database.ts";
import type { EventsTable, EventsTables } from "./tables/events.ts";

export type StoredEvent = {
  readonly id: number;
  readonly at: Date;
  /** Noun, then what happened: `model-loaded`, `key-created`. */
  readonly type: string;
  /** Whom it is about: a model's uid, a key's id, an account's name. */
  readonly subject: string | undefined;
  /** Whose request it was: a key's id or an account's name. */
  readonly actor: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
};

export type NewEvent = {
  readonly type: string;
  readonly subject?: string | undefined;
  readonly actor?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
};

/** Older ones are forgotten. */
const maxEvents = 20_000;
/** How many may come before old ones are looked for. */
const pruneEvery = 500;
/** Of one event's details, as JSON. */
const maxDetails = 4_096;

export class EventLog {
  readonly #database: StateDatabase;
  readonly #now: () => Date;
  #untilPrune = 1;

  constructor(database: StateDatabase, { now = () => new Date() } = {}) {
    this.#database = database;
    this.#now = now;
  }

  /** @throws PlatformError `state_unusable`, `disk_full` */
  async add({ type, subject, actor, details = {} }: NewEvent): Promise<void> {
    const json = JSON.stringify(details);
    await this.#tables
      .insertInto("events")
      .values({
        at: this.#now().toISOString(),
        type,
        subject: subject ?? null,
        actor: actor ?? null,
        details: json.length <= maxDetails ? json : JSON.stringify({ truncated: true }),
      })
      .execute();
    if (--this.#untilPrune > 0) return;
    this.#untilPrune = pruneEvery;
    await this.#tables
      .deleteFrom("events")
      .where("id", "<=", (eb) =>
        eb.selectFrom("events").select(eb(eb.fn.max<number>("id"), "-", maxEvents).as("last")),
      )
      .execute();
  }

  /**
   * The latest first.
   *
   * @param options.before the id of an event: only older ones
   * @param options.types beginnings of types; all when absent
   */
  async list({
    subject,
    actor,
    types,
    from,
    until,
    before,
    limit = 100,
  }: {
    readonly subject?: string | undefined;
    readonly actor?: string | undefined;
    readonly types?: readonly string[] | undefined;
    readonly from?: Date | undefined;
    readonly until?: Date | undefined;
    readonly before?: number | undefined;
    readonly limit?: number;
  } = {}): Promise<StoredEvent[]> {
    let query = this.#tables.selectFrom("events").selectAll().orderBy("id", "desc").limit(limit);
    if (subject !== undefined) query = query.where("subject", "=", subject);
    if (actor !== undefined) query = query.where("actor", "=", actor);
    if (types !== undefined) {
      query = query.where((eb) => eb.or(types.map((type) => eb("type", "like", `${type}%`))));
    }
    if (from !== undefined) query = query.where("at", ">=", from.toISOString());
    if (until !== undefined) query = query.where("at", "<=", until.toISOString());
    if (before !== undefined) query = query.where("id", "<", before);
    return (await query.execute()).map(toEvent);
  }

  /** Whose requests there are events of, and what they are about. */
  async names(): Promise<{
    readonly actors: readonly string[];
    readonly subjects: readonly string[];
  }> {
    const [actors, subjects] = await Promise.all(
      (["actor", "subject"] as const).map(async (column) => {
        const query = this.#tables.selectFrom("events").select(column).distinct().orderBy(column);
        return (await query.execute()).flatMap((row) => row[column as keyof typeof row] ?? []);
      }),
    );
    return { actors: actors ?? [], subjects: subjects ?? [] };
  }

  get #tables() {
    return this.#database.tables<EventsTables>();
  }
}

function toEvent({ id, at, type, subject, actor, details }: Selectable<EventsTable>): StoredEvent {
  return {
    id,
    at: new Date(at),
    type,
    subject: subject ?? undefined,
    actor: actor ?? undefined,
    details: JSON.parse(details) as Record<string, unknown>,
  };
}
