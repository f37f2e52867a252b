/**
 * Models that are to start with the server by their owner's wish, whether they ran when it stopped or not;
 * beside those that come back because they ran, see `kept-models.ts`.
 */
import { PlatformError } from "../base/errors.ts";
import type { StateDatabase } from "../state/state-database.ts";
import type { LaunchesTables } from "../state/tables/launches.ts";
import type { KeptModel, RetryPlan } from "./kept-models.ts";
import type { LaunchOptions } from "./launch-options.ts";

export type AutostartEntry = {
  readonly uid: string;
  readonly isEnabled: boolean;
  /** Smaller starts sooner. */
  readonly priority: number;
  readonly retry: RetryPlan;
  readonly modelName: string;
  /** As its client sent it. */
  readonly launch: Readonly<Record<string, unknown>>;
  readonly options: LaunchOptions;
};

/** Of a model without an entry. */
export const defaultPriority = 100;
/** More than anybody starts. */
const maxEntries = 1_000;

export class AutostartEntries {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** In the order in which they start. */
  async list(): Promise<readonly AutostartEntry[]> {
    const rows = await this.#tables
      .selectFrom("autostart_entries")
      .selectAll()
      .orderBy("priority")
      .orderBy("uid")
      .execute();
    return rows.map((row) => ({
      uid: row.uid,
      isEnabled: row.enabled === 1,
      priority: row.priority,
      retry: { count: row.max_retries, pauseMs: row.retry_interval_ms },
      modelName: row.model_name,
      // We wrote both.
      launch: JSON.parse(row.launch) as Record<string, unknown>,
      options: JSON.parse(row.options) as LaunchOptions,
    }));
  }

  /** @throws PlatformError `invalid_request` when there are too many */
  async save({
    uid,
    isEnabled,
    priority,
    retry,
    modelName,
    ...rest
  }: AutostartEntry): Promise<void> {
    const known = await this.list();
    if (known.length >= maxEntries && !known.some((one) => one.uid === uid)) {
      throw new PlatformError(
        "invalid_request",
        `There are ${maxEntries} models that start with the server already. Remove one of them first.`,
      );
    }
    const row = {
      enabled: isEnabled ? (1 as const) : (0 as const),
      priority,
      max_retries: retry.count,
      retry_interval_ms: retry.pauseMs,
      model_name: modelName,
      launch: JSON.stringify(rest.launch),
      options: JSON.stringify(rest.options),
    };
    await this.#tables
      .insertInto("autostart_entries")
      .values({ uid, ...row })
      .onConflict((conflict) => conflict.column("uid").doUpdateSet(row))
      .execute();
  }

  async remove(uid: string): Promise<void> {
    await this.#tables.deleteFrom("autostart_entries").where("uid", "=", uid).execute();
  }

  get #tables() {
    return this.#database.tables<LaunchesTables>();
  }
}

/**
 * What a server starts, and in which order: what ran, and what is to start anyway. An entry that is switched
 * off keeps its model from starting. Pure.
 */
export function whatStarts(
  kept: readonly KeptModel[],
  entries: readonly AutostartEntry[],
): readonly KeptModel[] {
  const entryOf = new Map(entries.map((entry) => [entry.uid, entry]));
  const known = new Set(kept.map(({ uid }) => uid));
  const priorityOf = ({ uid }: KeptModel): number => entryOf.get(uid)?.priority ?? defaultPriority;
  const wished = entries.filter(({ uid, isEnabled }) => isEnabled && !known.has(uid));
  return [
    ...kept
      .filter(({ uid }) => entryOf.get(uid)?.isEnabled !== false)
      .map((model): KeptModel => {
        const retry = entryOf.get(model.uid)?.retry;
        return retry === undefined ? model : { ...model, retry };
      }),
    ...wished.map(
      ({ uid, modelName, options, retry }): KeptModel => ({
        uid,
        origin: "request",
        isResting: false,
        modelName,
        directory: "",
        options,
        retry,
      }),
    ),
  ].toSorted((a, b) => priorityOf(a) - priorityOf(b));
}
