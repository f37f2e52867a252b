/** How launches and replicas are, and what happened to them; cancelling and scaling. */
import {
  type AddReplicaReply,
  AddReplicaRequest,
  InstancesQuery,
  type ModelEventRecord,
  type ModelInstanceRecord,
  type ProgressReply,
  type RemoveReplicaReply,
  type ReplicaStatusRecord,
} from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { ReplicaRecord } from "../../../supervisor/replicas.ts";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import type { App } from "../../http.ts";
import { mayAsk } from "../../models-of-others.ts";
import { addressOf } from "../../own-address.ts";
import { parse } from "../../parse.ts";
import { notInTheList } from "./errors.ts";
import { checkDevices } from "./launch-fields.ts";
import { sendNull } from "./models.ts";
import type { XinferenceParts } from "./services.ts";
import { toEventRecords } from "./to-event.ts";
import { toInstance, toProgress, toReplica } from "./to-instance.ts";

/** What Xinference keeps of each model. */
const MAX_EVENTS = 100;

type OfModel = { Params: { uid: string } };
type OfReplica = { Params: { uid: string; replica: string } };

export function instances(
  app: App,
  { supervisor, kept, events, xinference: { countGpus } }: XinferenceParts,
): void {
  app.get("/v1/models/instances", async ({ query, principal }): Promise<ModelInstanceRecord[]> => {
    const { model_name: name, model_uid: uid } = parse(InstancesQuery, query);
    return supervisor
      .list()
      .filter((instance) => mayAsk(instance.uid, principal))
      .filter((instance) => name === undefined || instance.modelName === name)
      .filter((instance) => uid === undefined || instance.uid === uid)
      .map((instance) => toInstance(instance, addressOf(app)));
  });

  app.get<OfModel>("/v1/models/:uid/replicas", async ({ params: { uid } }) =>
    replicasOf(supervisor, uid).map(
      (replica): ReplicaStatusRecord => toReplica(replica, uid, addressOf(app)),
    ),
  );

  app.post<OfModel>(
    "/v1/models/:uid/replicas",
    async ({ params: { uid }, body }): Promise<AddReplicaReply> => {
      const { replica_config: config, replica: count = 1 } = parse(AddReplicaRequest, body ?? {});
      const machine = { numGpus: await countGpus(), address: addressOf(app) };
      const configs = config == null ? [] : [config].flat();
      for (const one of configs) checkDevices(one.devices ?? [], machine);
      let last: ReplicaRecord | undefined;
      for (let index = 0; index < Math.max(count ?? 1, configs.length); index++) {
        const alias = configs[index]?.replica_uid ?? undefined;
        last = await supervisor.addReplica(uid, alias).catch((error: unknown) => {
          throw notInTheList(error, uid);
        });
      }
      if (last === undefined) throw new Error("at least one is added");
      return {
        replica_id: last.id,
        replica_model_uid: `${uid}-rep${last.id}`,
        worker_address: machine.address,
      };
    },
  );

  app.delete<OfReplica>(
    "/v1/models/:uid/replicas/:replica",
    async ({ params: { uid, replica } }): Promise<RemoveReplicaReply> => {
      if (!/^\d{1,9}$/.test(replica)) {
        throw new PlatformError("invalid_request", "A replica is named by its number, such as 0.", {
          details: { param: "replica_id" },
        });
      }
      const left = await supervisor.removeReplica(uid, Number(replica)).catch((error: unknown) => {
        throw notInTheList(error, uid);
      });
      return { remaining_replicas: left };
    },
  );

  // Nobody launched it, or it is gone: nothing of it is done, and asking is no error.
  app.get<OfModel>(
    "/v1/models/:uid/progress",
    async ({ params: { uid } }): Promise<ProgressReply> => {
      const instance = supervisor.list().find((one) => one.uid === uid);
      return toProgress(instance, uid, supervisor.downloadsOf(uid));
    },
  );

  app.post<OfModel>("/v1/models/:uid/cancel", async ({ params: { uid } }, reply) => {
    await supervisor.cancel(uid).catch((error: unknown) => {
      if (!(error instanceof PlatformError) || error.code !== "model_not_found") throw error;
      const { code, message, details } = error;
      throw new PlatformError(
        code,
        `Model ${uid.slice(0, 100)} has not been launched yet. ${message}`,
        {
          cause: error,
          details,
        },
      );
    });
    // Whoever gives a launch up does not want it after a restart either.
    await kept.forget(uid);
    return await sendNull(reply);
  });

  app.get<OfModel>(
    "/v1/models/:uid/events",
    async ({ params: { uid } }): Promise<ModelEventRecord[]> =>
      toEventRecords(await events.list({ subject: uid, limit: MAX_EVENTS })),
  );
}

function replicasOf(supervisor: Supervisor, uid: string): readonly ReplicaRecord[] {
  try {
    return supervisor.get(uid).replicas.list();
  } catch (error) {
    throw notInTheList(error, uid);
  }
}
