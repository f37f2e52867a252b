/** Launch and terminate, in Xinference's words: `POST /v1/models`, `DELETE /v1/models/{uid}`. */
import { LaunchQuery, type LaunchReply, LaunchRequest } from "@atalaya/protocol";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import type { App } from "../../http.ts";
import { checkFields, unsupportedByLaunch } from "../../known-fields.ts";
import { parse } from "../../parse.ts";
import { toLaunchOptions } from "./translate.ts";

export function launchAndTerminate(app: App, supervisor: Supervisor): void {
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
    await supervisor.terminate(params.uid);
    return await reply.type("application/json; charset=utf-8").send("null");
  });
}
