/** With what each user launched models, for pages that offer it again. */
import { PlatformError } from "../base/errors.ts";
import type { StateDatabase } from "../state/state-database.ts";
import type { LaunchesTables } from "../state/tables/launches.ts";

export type PastLaunch = {
  readonly modelName: string;
  readonly modelUid: string;
  /** JSON of its client's own. */
  readonly data: unknown;
  readonly updatedAt: Date;
};

/** Of each user; the oldest are forgotten. */
const maxLaunches = 500;
/** Of one launch, as JSON. */
const maxBytes = 64 * 1_024;

export class LaunchHistory {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** The latest first. */
  async list(owner: string): Promise<readonly PastLaunch[]> {
    const rows = await this.#tables
      .selectFrom("launch_history")
      .selectAll()
      .where("owner", "=", owner)
      .orderBy("updated_at", "desc")
      .execute();
    return rows.map((row) => ({
      modelName: row.model_name,
      modelUid: row.model_uid,
      data: JSON.parse(row.data) as unknown,
      updatedAt: new Date(row.updated_at),
    }));
  }

  /** @throws PlatformError `invalid_request` when it is too long */
  async save(
    owner: string,
    { modelName, modelUid, data }: Omit<PastLaunch, "updatedAt">,
  ): Promise<void> {
    const json = JSON.stringify(data);
    if (Buffer.byteLength(json) > maxBytes) {
      throw new PlatformError(
        "invalid_request",
        `"data" has ${Buffer.byteLength(json)} bytes as JSON; a launch of the history has ${maxBytes} at most. Leave out what is no option of the launch.`,
        { details: { param: "data" } },
      );
    }
    const row = { data: json, updated_at: new Date().toISOString() };
    await this.#tables
      .insertInto("launch_history")
      .values({ owner, model_name: modelName, model_uid: modelUid, ...row })
      .onConflict((conflict) =>
        conflict.columns(["owner", "model_name", "model_uid"]).doUpdateSet(row),
      )
      .execute();
    const surplus = (await this.list(owner)).slice(maxLaunches);
    for (const old of surplus) await this.remove(owner, old.modelName, old.modelUid);
  }

  /**
   * @param modelUid all of that model's when absent
   * @returns whether there was one
   */
  async remove(owner: string, modelName: string, modelUid?: string): Promise<boolean> {
    let query = this.#tables
      .deleteFrom("launch_history")
      .where("owner", "=", owner)
      .where("model_name", "=", modelName);
    if (modelUid !== undefined) query = query.where("model_uid", "=", modelUid);
    return (await query.executeTakeFirst()).numDeletedRows > 0n;
  }

  get #tables() {
    return this.#database.tables<LaunchesTables>();
  }
}
