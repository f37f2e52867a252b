/** `GET /v1/models/{uid}/launch`: how a launch goes, as lines of JSON. */
import type { LaunchLine } from "@atalaya/protocol";
import type { Logger } from "../../../base/logger.ts";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import { abortedByClient } from "../../abort.ts";
import { toHttpError } from "../../error-reply.ts";
import type { App } from "../../http.ts";
import { toModelRecord } from "../../model-record.ts";
import { sendLines } from "../../ndjson.ts";
import { addressOf } from "../../own-address.ts";
import { toLaunchLine } from "./to-launch-line.ts";

export function launchLines(
  app: App,
  { supervisor, log }: { readonly supervisor: Supervisor; readonly log: Logger },
): void {
  app.get<{ Params: { uid: string } }>("/v1/models/:uid/launch", async ({ params }, reply) => {
    const { uid } = supervisor.get(params.uid);
    return sendLines(
      reply,
      follow(supervisor, uid, { signal: abortedByClient(reply), address: addressOf(app) }),
      (error) => ({
        type: "failed",
        error: toHttpError(error, log).body.error,
      }),
    );
  });
}

async function* follow(
  supervisor: Supervisor,
  uid: string,
  { signal, address }: { readonly signal: AbortSignal; readonly address: string },
): AsyncGenerator<LaunchLine, void> {
  for await (const event of supervisor.followLaunch(uid, signal)) yield toLaunchLine(event);
  if (signal.aborted) return;
  const instance = supervisor.find(uid);
  if (instance === undefined) yield { type: "terminated" };
  else {
    const model = toModelRecord(instance, address);
    const { error } = model;
    if (instance.state === "stopping" || error?.code === "cancelled") yield { type: "terminated" };
    else if (instance.state === "failed" && error !== undefined) yield { type: "failed", error };
    else yield { type: "ready", model };
  }
}
