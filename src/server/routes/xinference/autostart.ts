/**
 * Models that start with the server: those that ran when it stopped, and those whose owner wishes it. The list
 * has both; what is taken off it is forgotten, and runs on.
 */
import {
  type AutostartRecord,
  type AutostartReply,
  AutostartRequest,
  type AutostartSummary,
} from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import { type AutostartEntry, defaultPriority } from "../../../supervisor/autostart-entries.ts";
import type { KeptModel } from "../../../supervisor/kept-models.ts";
import { withoutDirectories } from "../../error-reply.ts";
import type { App } from "../../http.ts";
import { mayAsk } from "../../models-of-others.ts";
import { addressOf } from "../../own-address.ts";
import { parse } from "../../parse.ts";
import { shownName } from "./errors.ts";
import { launchError, readLaunch } from "./models.ts";
import { withoutSecrets } from "./secrets.ts";
import type { XinferenceParts } from "./services.ts";
import { statuses } from "./to-instance.ts";

/** What Xinference has where a client says nothing. */
const defaultRetry = { count: 3, pauseMs: 30_000 } as const;
const ownFields = ["enabled", "priority", "max_retries", "retry_interval_seconds", "launch"];

export function autostart(app: App, { kept, supervisor, xinference }: XinferenceParts): void {
  const { autostart: entries, countGpus } = xinference;

  const list = async (): Promise<AutostartReply> => {
    const wished = await entries.list();
    const known = new Set(wished.map(({ uid }) => uid));
    const others = (await kept.list()).filter(({ uid }) => !known.has(uid));
    const records = [...wished.map(ofEntry), ...others.map(ofKept)];
    const models = records
      .toSorted((a, b) => a.priority - b.priority)
      .map((record): AutostartRecord => ({ ...record, state: stateOf(record.model_uid) }));
    return { models };
  };
  const summary = async (): Promise<AutostartSummary> => ({
    models: (await list()).models.map(({ enabled, model_uid }) => ({ enabled, model_uid })),
  });
  const stateOf = (uid: string): AutostartRecord["state"] => {
    const instance = supervisor.list().find((one) => one.uid === uid);
    const { attempts = 0, error } = kept.comebackOf(uid) ?? {};
    return {
      attempts,
      instance_status: instance === undefined ? "TERMINATED" : statuses[instance.state],
      last_error: error === undefined ? null : withoutDirectories(error.message),
    };
  };

  app.get("/v1/autostart/models", list);
  app.get("/v1/autostart/models/summary", async ({ principal }) => ({
    models: (await summary()).models.filter(({ model_uid: uid }) => mayAsk(uid, principal)),
  }));

  app.post("/v1/autostart/models", async ({ body }): Promise<AutostartReply> => {
    const entry = parse(AutostartRequest, body);
    const launch = entry.launch ?? withoutOwnFields(entry);
    const { model_uid: givenUid, model_name: name } = entry.launch ?? entry;
    const uid = givenUid ?? name ?? "";
    const running = (await kept.list()).find((model) => model.uid === uid);
    const isNamed = name != null || launch["model_path"] != null;
    if (!isNamed && running === undefined) {
      throw new PlatformError(
        "invalid_request",
        uid === ""
          ? "Say what is to start: `launch`, with the fields of a launch."
          : `No model runs as "${shownName(uid)}". Launch it, or say with \`launch\` what is to start.`,
        { details: { param: "launch" } },
      );
    }
    const described = running === undefined || isNamed ? await read(launch) : running;
    const isEnabled = entry.enabled !== false;
    await entries.save({
      uid,
      isEnabled,
      priority: entry.priority ?? defaultPriority,
      retry: {
        count: entry.max_retries ?? defaultRetry.count,
        pauseMs: (entry.retry_interval_seconds ?? defaultRetry.pauseMs / 1_000) * 1_000,
      },
      modelName: described.modelName,
      launch: { ...launch, model_uid: uid },
      options: described.options,
    });
    return await list();
  });

  /** @throws PlatformError whatever speaks against that launch now */
  const read = async (
    launch: Readonly<Record<string, unknown>>,
  ): Promise<Pick<AutostartEntry, "modelName" | "options">> => {
    const machine = { numGpus: await countGpus(), address: addressOf(app) };
    const { body, options } = readLaunch(launch, machine);
    const plan = await supervisor.plan(options).catch((error: unknown) => {
      throw launchError(error, body);
    });
    return { modelName: plan.model.modelName, options };
  };

  app.delete<{ Params: { uid: string } }>(
    "/v1/autostart/models/:uid",
    async ({ params: { uid } }) => {
      await entries.remove(uid);
      await kept.forget(uid);
      return await summary();
    },
  );
}

type Described = Omit<AutostartRecord, "state">;

function ofEntry({ uid, isEnabled, priority, retry, launch }: AutostartEntry): Described {
  return {
    enabled: isEnabled,
    model_uid: uid,
    priority,
    max_retries: retry.count,
    retry_interval_seconds: retry.pauseMs / 1_000,
    launch: withoutSecrets(launch),
  };
}

function ofKept({ uid, modelName, options }: KeptModel): Described {
  return {
    enabled: true,
    model_uid: uid,
    priority: defaultPriority,
    max_retries: null,
    retry_interval_seconds: null,
    launch: {
      model_uid: uid,
      model_name: modelName,
      model_engine: options.engine ?? null,
      quantization: options.quantization ?? null,
      replica: options.replicas ?? 1,
    },
  };
}

function withoutOwnFields(entry: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entry).filter(([name]) => !ownFields.includes(name)));
}
