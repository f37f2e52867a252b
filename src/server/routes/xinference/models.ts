/** Launch and terminate, in Xinference's words: `POST /v1/models`, `DELETE /v1/models/{uid}`. */
import { LaunchQuery, type LaunchReply, LaunchRequest } from "@atalaya/protocol";
import { endModel } from "../../../supervisor/end-model.ts";
import type { KeptModels } from "../../../supervisor/kept-models.ts";
import type { RestingModels } from "../../../supervisor/resting-models.ts";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import type { App } from "../../http.ts";
import { checkFields, unsupportedByLaunch } from "../../known-fields.ts";
import { parse } from "../../parse.ts";
import { toLaunchOptions } from "./translate.ts";

type LaunchServices = {
  readonly supervisor: Supervisor;
  readonly resting: RestingModels;
  readonly kept: KeptModels;
};

export function launchAndTerminate(app: App, services: LaunchServices): void {
  const { supervisor } = services;
  app.post("/v1/models", async (request): Promise<LaunchReply> => {
    const body = parse(LaunchRequest, request.body);
    const { wait_ready: waitReady } = parse(LaunchQuery, request.query);
    const unknown = checkFields(body, {
      known: Object.keys(LaunchRequest.shape),
      unsupported: unsupportedByLaunch,
    });
    const { uid } = await supervisor.launch(toLaunchOptions(body, unknown));
    if (waitReady) {
      const instance = await supervisor.whenSettled(uid);
      if (instance.state === "failed") {
        await supervisor.terminate(uid);
        throw instance.error;
      }
    }
    return { model_uid: uid };
  });

  app.delete<{ Params: { uid: string } }>("/v1/models/:uid", async ({ params }, reply) => {
    await endModel(params.uid, services);
    return await reply.type("application/json; charset=utf-8").send("null");
  });
}
