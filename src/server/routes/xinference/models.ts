/** Launch and terminate, in Xinference's words: `POST /v1/models`, `DELETE /v1/models/{uid}`. */
import {
  LaunchByVersionRequest,
  LaunchQuery,
  type LaunchReply,
  LaunchRequest,
} from "@atalaya/protocol";
import type { FastifyReply } from "fastify";
import { PlatformError } from "../../../base/errors.ts";
import { endModel } from "../../../supervisor/end-model.ts";
import { parseModelVersion } from "../../../supervisor/model-version.ts";
import type { LaunchOptions } from "../../../supervisor/supervisor.ts";
import type { App } from "../../http.ts";
import { checkFields, listIgnored, unsupportedByLaunch } from "../../known-fields.ts";
import { addressOf } from "../../own-address.ts";
import { parse } from "../../parse.ts";
import { inXinferencesWords, notInTheList, shownName } from "./errors.ts";
import { checkLaunchFields, type Machine } from "./launch-fields.ts";
import type { XinferenceParts } from "./services.ts";
import { toLaunchOptions } from "./translate.ts";

/** Fields about Python environments, which no engine here takes from a launch: accepted, and told of. */
const ofVirtualEnvironments = [
  "enable_virtual_env",
  "virtual_env_packages",
  "virtual_env_find_links",
] as const;

export function launchAndTerminate(app: App, parts: XinferenceParts): void {
  const { supervisor } = parts;
  const { countGpus } = parts.xinference;
  const launch = async (
    fields: unknown,
    query: unknown,
    reply: FastifyReply,
  ): Promise<LaunchReply> => {
    const machine = { numGpus: await countGpus(), address: addressOf(app) };
    const { body, options, ignored } = readLaunch(fields, machine);
    const { wait_ready: waitReady } = parse(LaunchQuery, query);
    listIgnored(reply, ignored);
    const { uid } = await supervisor.launch(options).catch((error: unknown) => {
      throw launchError(error, body);
    });
    if (waitReady) {
      const instance = await supervisor.whenSettled(uid);
      if (instance.state === "failed") {
        // Whoever cancelled it finds its record; who waited here is told.
        if (instance.error.code !== "cancelled") await supervisor.terminate(uid);
        throw instance.error;
      }
    }
    return { model_uid: uid };
  };

  app.post("/v1/models", async ({ body, query }, reply) => await launch(body, query, reply));

  app.post("/v1/models/instance", async ({ body, query }, reply) => {
    const { model_version: version, ...fields } = parse(LaunchByVersionRequest, body);
    const named = parseModelVersion(version);
    if (named === undefined) {
      throw new PlatformError(
        "invalid_request",
        `Model not found, version: ${shownName(version)}. A version looks like llama-3.2-vision--11B--pytorch--none.`,
        { details: { param: "model_version" } },
      );
    }
    const { modelName, size, format, quantization } = named;
    return await launch(
      {
        ...fields,
        model_name: modelName,
        model_size_in_billions: size ?? null,
        model_format: format,
        quantization,
      },
      query,
      reply,
    );
  });

  app.delete<{ Params: { uid: string } }>("/v1/models/:uid", async ({ params: { uid } }, reply) => {
    await endModel(uid, parts).catch((error: unknown) => {
      throw notInTheList(error, uid);
    });
    return await sendNull(reply);
  });
}

/**
 * A launch as Xinference's clients write it. Pure.
 *
 * @throws PlatformError `invalid_request`, `unsupported_parameter`
 */
export function readLaunch(
  fields: unknown,
  machine: Machine,
): {
  readonly body: LaunchRequest;
  readonly options: LaunchOptions;
  /** Fields that ask for what no engine here takes from a launch. */
  readonly ignored: readonly string[];
} {
  checkLaunchFields(fields, machine);
  const body = parse(LaunchRequest, fields);
  const known = [...Object.keys(LaunchRequest.shape), ...ofVirtualEnvironments];
  const unknown = checkFields(body, { known, unsupported: unsupportedByLaunch });
  const ignored = ofVirtualEnvironments.filter((field) => asksForSomething(body[field]));
  return { body, options: toLaunchOptions(body, unknown, machine), ignored };
}

/** What a Python `None` is on the wire. */
export async function sendNull(reply: FastifyReply): Promise<FastifyReply> {
  return await reply.type("application/json; charset=utf-8").send("null");
}

export function launchError(error: unknown, body: LaunchRequest): unknown {
  if (!(error instanceof PlatformError)) return error;
  const { model_name: name, model_uid: uid, model_format: format, quantization } = body;
  const { param } = error.details;
  if (error.code === "model_already_launched") {
    return inXinferencesWords(
      error,
      `Model is already in the model list, uid: ${shownName(uid ?? "")}.`,
    );
  }
  if (error.code === "engine_unavailable" && name != null) {
    const words = `Model ${shownName(name)} cannot be run on engine ${shownName(body.model_engine ?? "auto")}.`;
    return inXinferencesWords(error, words);
  }
  const isUnknown =
    error.code === "model_not_found" ||
    param === "model_format" ||
    param === "model_size_in_billions" ||
    param === "quantization";
  if (!isUnknown || name == null) return error;
  const size = body.model_size_in_billions;
  const shown = (value: string | number | null | undefined): string =>
    value === undefined || value === null ? "None" : shownName(`${value}`);
  return inXinferencesWords(
    error,
    `Model not found, name: ${shownName(name)}, format: ${shown(format)}, size: ${shown(size)}, quantization: ${shown(quantization)}.`,
  );
}

function asksForSomething(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value === true;
}
