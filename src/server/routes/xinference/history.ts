/** With what models were launched before, as each user's pages remember it. */
import { type PastLaunchRecord, PastLaunchRequest } from "@atalaya/protocol";
import type { App } from "../../http.ts";
import { HttpRefusal } from "../../http-refusal.ts";
import { parse } from "../../parse.ts";
import type { XinferenceParts } from "./services.ts";

type OfName = { Params: { name: string } };
type OfUid = { Params: { name: string; uid: string } };

export function history(app: App, { xinference: { history: launches } }: XinferenceParts): void {
  app.get(
    "/v1/launch_history",
    async ({ principal }): Promise<PastLaunchRecord[]> =>
      (await launches.list(principal.id)).map(({ modelName, modelUid, data, updatedAt }) => ({
        model_name: modelName,
        model_uid: modelUid === "" ? null : modelUid,
        data,
        updated_at: updatedAt.toISOString(),
      })),
  );

  app.post("/v1/launch_history", async ({ principal, body }) => {
    const { model_name: modelName, model_uid: uid, data } = parse(PastLaunchRequest, body);
    await launches.save(principal.id, { modelName, modelUid: uid ?? "", data: data ?? null });
    return { status: "ok" };
  });

  const remove = async (owner: string, name: string, uid?: string): Promise<{ status: string }> => {
    if (!(await launches.remove(owner, name, uid))) throw new HttpRefusal(404, "Record not found");
    return { status: "ok" };
  };
  app.delete<OfName>("/v1/launch_history/:name", async ({ principal, params: { name } }) =>
    remove(principal.id, name),
  );
  app.delete<OfUid>("/v1/launch_history/:name/:uid", async ({ principal, params }) =>
    remove(principal.id, params.name, params.uid),
  );
}
