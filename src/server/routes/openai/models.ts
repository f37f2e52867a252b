/** `GET /v1/models` and `GET /v1/models/{uid}`: OpenAI's list, with Xinference's fields beside. */
import { ListModelsQuery, type ModelList, type ModelRecord } from "@atalaya/protocol";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import type { App } from "../../http.ts";
import { toModelRecord } from "../../model-record.ts";
import { mayAsk, refuseOtherModels } from "../../models-of-others.ts";
import { addressOf } from "../../own-address.ts";
import { parse } from "../../parse.ts";
import { notInTheList } from "../xinference/errors.ts";

export function models(app: App, supervisor: Supervisor): void {
  app.get("/v1/models", async (request): Promise<ModelList> => {
    const { state } = parse(ListModelsQuery, request.query);
    const instances = supervisor.list().filter(({ uid }) => mayAsk(uid, request.principal));
    const shown =
      state === "all" ? instances : instances.filter((instance) => instance.state === "ready");
    return {
      object: "list",
      data: shown.map((instance) => toModelRecord(instance, addressOf(app))),
    };
  });

  app.get<{ Params: { uid: string } }>(
    "/v1/models/:uid",
    async ({ params: { uid }, query, principal }): Promise<ModelRecord> => {
      const { state } = parse(ListModelsQuery, query);
      try {
        // First, so that of a model that it may not ask nobody learns how it is.
        refuseOtherModels(supervisor.get(uid).uid, principal);
        const instance = state === "all" ? supervisor.get(uid) : supervisor.getReady(uid);
        return toModelRecord(instance, addressOf(app));
      } catch (error) {
        throw notInTheList(error, uid);
      }
    },
  );
}
