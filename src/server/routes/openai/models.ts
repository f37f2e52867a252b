/** `GET /v1/models` and `GET /v1/models/{uid}`: OpenAI's list, with Xinference's fields beside. */
import { ListModelsQuery, type ModelList } from "@atalaya/protocol";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import type { App } from "../../http.ts";
import { toModelRecord } from "../../model-record.ts";
import { parse } from "../../parse.ts";

export function models(app: App, supervisor: Supervisor): void {
  app.get("/v1/models", async (request): Promise<ModelList> => {
    const { state } = parse(ListModelsQuery, request.query);
    const instances = supervisor.list();
    const shown =
      state === "all" ? instances : instances.filter((instance) => instance.state === "ready");
    return { object: "list", data: shown.map(toModelRecord) };
  });

  app.get<{ Params: { uid: string } }>("/v1/models/:uid", async ({ params }) =>
    toModelRecord(supervisor.get(params.uid)),
  );
}
