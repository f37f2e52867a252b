/** Requests under way: ending one by the `request_id` that its client gave it. */
import { AbortRequestBody, type AbortRequestReply } from "@atalaya/protocol";
import type { App } from "../../http.ts";
import { parse } from "../../parse.ts";
import { notInTheList } from "./errors.ts";
import type { XinferenceParts } from "./services.ts";

export function requests(app: App, { supervisor, requests: running }: XinferenceParts): void {
  app.post<{ Params: { uid: string; request: string } }>(
    "/v1/models/:uid/requests/:request/abort",
    async ({ params: { uid, request }, body, viewer }): Promise<AbortRequestReply> => {
      parse(AbortRequestBody, body ?? {});
      try {
        supervisor.get(uid);
      } catch (error) {
        throw notInTheList(error, uid);
      }
      return {
        msg: running.abort({ owner: viewer.owner, model: uid, id: request }) ? "DONE" : "NOT_FOUND",
      };
    },
  );

  // Only pictures and films in the making tell how far they are.
  app.get("/v1/requests/:request/progress", () => ({ progress: 0 }));
}
