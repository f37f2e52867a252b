/**
 * Models that start with the server. Here every model that runs does, until it is terminated; so the list is
 * what is kept, and what is taken off it is forgotten, and runs on.
 */
import { AutostartRequest } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { App } from "../../http.ts";
import { parse } from "../../parse.ts";
import { shownName } from "./errors.ts";
import type { XinferenceParts } from "./services.ts";

export function autostart(app: App, { kept, supervisor }: XinferenceParts): void {
  const list = async () => {
    const states = new Map(supervisor.list().map(({ uid, state }) => [`${uid}`, state]));
    const models = (await kept.list()).map(({ uid, modelName, options }) => ({
      enabled: true,
      model_uid: uid,
      launch: {
        model_uid: uid,
        model_name: modelName,
        model_engine: options.engine ?? null,
        quantization: options.quantization ?? null,
        replica: options.replicas ?? 1,
      },
      state: { attempts: 0, instance_status: statusOf(states.get(uid)) },
    }));
    return { models };
  };
  const summary = async () => ({
    models: (await kept.list()).map(({ uid }) => ({ enabled: true, model_uid: uid })),
  });

  app.get("/v1/autostart/models", list);
  app.get("/v1/autostart/models/summary", summary);

  app.post("/v1/autostart/models", async ({ body }) => {
    const entry = parse(AutostartRequest, body);
    const { model_uid: uid, model_name: name } = entry.launch ?? entry;
    const wanted = uid ?? name ?? "";
    if (!(await kept.list()).some((model) => model.uid === wanted)) {
      throw new PlatformError(
        "invalid_request",
        `No model runs as "${shownName(wanted)}". Launch it with POST /v1/models: what runs starts with the server by itself.`,
        { details: { param: "launch" } },
      );
    }
    if (entry.enabled === false) await kept.forget(wanted);
    return await list();
  });

  app.delete<{ Params: { uid: string } }>(
    "/v1/autostart/models/:uid",
    async ({ params: { uid } }) => {
      await kept.forget(uid);
      return await summary();
    },
  );
}

function statusOf(state: string | undefined): string {
  if (state === undefined) return "TERMINATED";
  return state === "ready" ? "READY" : state === "failed" ? "ERROR" : "CREATING";
}
