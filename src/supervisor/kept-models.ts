/**
 * What should be running, so that it comes back after a restart, however the server ended.
 *
 * A launch is written down before it is acknowledged, and crossed out when somebody terminates the model
 * or when it could not be loaded in the first place. What a command line named comes back unless the
 * next one names something else.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Selectable } from "kysely";
import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { StateDatabase } from "../state/state-database.ts";
import type { KeptModelsTable, KeptModelsTables } from "../state/tables/kept-models.ts";
import type { ModelChange } from "./model-change.ts";
import type { RestingModels } from "./resting-models.ts";
import type { LaunchOptions, Supervisor } from "./supervisor.ts";

export type KeptModel = {
  readonly uid: string;
  readonly origin: "command" | "request";
  /** It was freed because nobody asked it anything, and comes back when somebody does. */
  readonly isResting: boolean;
  readonly modelName: string;
  readonly directory: string;
  readonly options: LaunchOptions;
  /** How often and when it is tried again; a few times, with growing pauses, when absent. */
  readonly retry?: RetryPlan;
};

export type RetryPlan = { readonly count: number; readonly pauseMs: number };

/** How bringing one model back went so far. */
export type Comeback = {
  readonly attempts: number;
  /** Of the last one. */
  readonly error: PlatformError | undefined;
};

/** How it goes with one model that is brought back. */
export type ComebackEvent =
  | { readonly type: "ready"; readonly uid: string; readonly seconds: number }
  | {
      readonly type: "failed";
      readonly uid: string;
      readonly error: PlatformError;
      /** `undefined`: it is not tried again. */
      readonly retryInMs: number | undefined;
    };

/** Pauses before the second, third, … try. */
const retryPausesMs = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000] as const;

type Parts = {
  readonly database: StateDatabase;
  readonly supervisor: Supervisor;
  readonly resting: RestingModels;
  readonly log: Logger;
};

export class KeptModels {
  readonly #parts: Parts;
  readonly #pausesMs: readonly number[];
  /** Those being brought back: what fails of them stays kept. */
  readonly #returning = new Set<string>();
  /** Nobody wants these any more, whatever is on its way. */
  readonly #forgotten = new Set<string>();
  readonly #comebacks = new Map<string, Comeback>();

  constructor(
    parts: Parts,
    { pausesMs = retryPausesMs }: { readonly pausesMs?: readonly number[] } = {},
  ) {
    this.#parts = parts;
    this.#pausesMs = pausesMs;
    parts.supervisor.subscribe(async (change) => await this.#note(change));
  }

  /** In the order of their launches. */
  async list(): Promise<readonly KeptModel[]> {
    const rows = await this.#tables
      .selectFrom("kept_models")
      .selectAll()
      .orderBy("position")
      .execute();
    return rows.map(toKeptModel);
  }

  /** `undefined` when it was not brought back by this server. */
  comebackOf(uid: string): Comeback | undefined {
    return this.#comebacks.get(uid);
  }

  /** @returns whether it was kept */
  async forget(uid: string): Promise<boolean> {
    this.#forgotten.add(uid);
    const { numDeletedRows } = await this.#tables
      .deleteFrom("kept_models")
      .where("uid", "=", uid)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }

  /** What earlier command lines named is not to come back: this one names its own. */
  async forgetCommandLine(): Promise<void> {
    await this.#tables.deleteFrom("kept_models").where("origin", "=", "command").execute();
  }

  /**
   * Start the models again, one after the other; one that fails is tried again beside the others.
   * Resting ones rest on.
   *
   * @param options.signal ends it; what runs by then stays
   */
  async bringBack(
    models: readonly KeptModel[],
    {
      onEvent,
      signal,
    }: { readonly onEvent: (event: ComebackEvent) => void; readonly signal: AbortSignal },
  ): Promise<void> {
    for (const { uid, modelName, directory, options } of models.filter(
      (model) => model.isResting,
    )) {
      this.#parts.resting.restore({ uid, modelName, directory, options });
    }
    const later: Promise<void>[] = [];
    for (const model of models.filter(({ isResting }) => !isResting)) {
      if (signal.aborted) break;
      if (await this.#start(model, 0, onEvent)) continue;
      later.push(this.#tryAgain(model, { onEvent, signal }));
    }
    await Promise.all(later);
  }

  async #tryAgain(
    model: KeptModel,
    {
      onEvent,
      signal,
    }: { readonly onEvent: (event: ComebackEvent) => void; readonly signal: AbortSignal },
  ): Promise<void> {
    for (const [index, pauseMs] of this.#pausesOf(model).entries()) {
      const isWaited = await sleep(pauseMs, true, { signal }).catch(() => false);
      if (!isWaited || this.#forgotten.has(model.uid)) return;
      // One that is to start by its owner's wish alone was never kept until it is launched.
      if (model.retry === undefined && !(await this.#isKept(model.uid))) return;
      if (await this.#start(model, index + 1, onEvent)) return;
    }
  }

  /** @returns whether it runs, or somebody else has its name by now */
  async #start(
    model: KeptModel,
    numTries: number,
    onEvent: (event: ComebackEvent) => void,
  ): Promise<boolean> {
    const { supervisor, log } = this.#parts;
    const { uid, options } = model;
    const startedAt = performance.now();
    const note = (error?: PlatformError): void => {
      this.#comebacks.set(uid, { attempts: numTries + 1, error });
    };
    this.#returning.add(uid);
    note();
    try {
      await supervisor.launch({ ...options, uid });
      const instance = await supervisor.whenSettled(uid);
      if (instance.state === "failed") throw instance.error;
      onEvent({ type: "ready", uid, seconds: (performance.now() - startedAt) / 1_000 });
      return true;
    } catch (thrown) {
      if (isCode(thrown, "model_already_launched")) return true;
      const error = asPlatformError(thrown);
      const retryInMs = this.#pausesOf(model)[numTries];
      note(error);
      log.warn(
        { modelUid: uid, code: error.code, err: error, retryInMs },
        "model-not-brought-back",
      );
      onEvent({ type: "failed", uid, error, retryInMs });
      return false;
    } finally {
      this.#returning.delete(uid);
    }
  }

  #pausesOf({ retry }: KeptModel): readonly number[] {
    if (retry === undefined) return this.#pausesMs;
    return Array.from({ length: retry.count }, () => retry.pauseMs);
  }

  async #isKept(uid: string): Promise<boolean> {
    const row = await this.#tables
      .selectFrom("kept_models")
      .select("uid")
      .where("uid", "=", uid)
      .executeTakeFirst();
    return row !== undefined;
  }

  async #note(change: ModelChange): Promise<void> {
    const { uid } = change;
    try {
      switch (change.type) {
        case "model-launched":
          this.#forgotten.delete(uid);
          await this.#keep(change);
          break;
        case "model-failed":
          // While a server ends, loading is cut short; that says nothing about the model.
          if (!this.#returning.has(uid) && change.error.code !== "cancelled")
            await this.forget(uid);
          break;
        case "model-terminated":
          if (change.reason === "asked") await this.forget(uid);
          if (change.reason === "resting") await this.#rests(uid);
          break;
        case "replicas-changed":
          await this.#tables
            .updateTable("kept_models")
            .set({ options: JSON.stringify(change.options) })
            .where("uid", "=", uid)
            .execute();
          break;
        case "model-loaded":
          await this.#isIn(uid, this.#parts.supervisor.find(uid)?.directory);
          break;
        case "model-answered":
        case "worker-ended":
          break;
        default:
          change satisfies never;
      }
    } catch (error) {
      // The model runs all the same; it is what comes after a restart that is at stake.
      this.#parts.log.error({ modelUid: uid, err: error }, "model-not-kept");
    }
  }

  async #keep({
    uid,
    instance,
    options,
  }: Extract<ModelChange, { type: "model-launched" }>): Promise<void> {
    const now = {
      origin: options.origin ?? ("request" as const),
      is_resting: 0 as const,
      model_name: instance.modelName,
      // Unknown while it is downloaded; a launch looks for it anew.
      directory: instance.directory ?? "",
      options: JSON.stringify(options),
    };
    await this.#tables
      .insertInto("kept_models")
      .values({ uid, ...now, created_at: new Date().toISOString() })
      .onConflict((conflict) => conflict.column("uid").doUpdateSet(now))
      .execute();
  }

  async #isIn(uid: string, directory: string | undefined): Promise<void> {
    if (directory === undefined) return;
    const update = this.#tables.updateTable("kept_models").set({ directory });
    await update.where("uid", "=", uid).execute();
  }

  async #rests(uid: string): Promise<void> {
    const update = this.#tables.updateTable("kept_models").set({ is_resting: 1 });
    await update.where("uid", "=", uid).execute();
  }

  get #tables() {
    return this.#parts.database.tables<KeptModelsTables>();
  }
}

function toKeptModel(row: Selectable<KeptModelsTable>): KeptModel {
  return {
    uid: row.uid,
    origin: row.origin,
    isResting: row.is_resting === 1,
    modelName: row.model_name,
    directory: row.directory,
    // We wrote it; what a later version adds to it is optional.
    options: JSON.parse(row.options) as LaunchOptions,
  };
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof PlatformError && error.code === code;
}

function asPlatformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError("internal", "Launching failed inside the server; its log says more.", {
    cause: error,
  });
}
