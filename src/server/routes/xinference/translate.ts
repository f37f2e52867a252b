/** Xinference's launch words → ours. Pure. */
import { isAbsolute } from "node:path";
import type { LaunchRequest } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import { hubNames } from "../../../supervisor/bring-files.ts";
import type { LaunchOptions } from "../../../supervisor/supervisor.ts";
import { type Machine, toPlacement } from "./launch-fields.ts";

/**
 * @param unknown names of the body's fields that are no words of a launch: options of the engine, or
 *   mistyped, which the engine tells
 * @throws PlatformError `invalid_request`, `unsupported_parameter`
 */
export function toLaunchOptions(
  body: LaunchRequest,
  unknown: readonly string[],
  machine: Machine,
): LaunchOptions {
  return {
    ...toPlacement(body, machine),
    model: modelOf(body),
    uid: body.model_uid ?? undefined,
    familyName: body.model_name ?? undefined,
    size: body.model_size_in_billions ?? undefined,
    format: body.model_format ?? undefined,
    quantization: body.quantization ?? undefined,
    engineOptions: Object.fromEntries(
      [...unknown, ...engineFields].flatMap((name) =>
        body[name] == null && engineFields.includes(name) ? [] : [[name, body[name]]],
      ),
    ),
    engine: body.model_engine ?? undefined,
    // `null`, which is not the same as nothing said.
    onlyCpu: body.n_gpu === null ? true : undefined,
    profile: body.profile ?? "ref",
    maxModelLen: body.max_model_len ?? undefined,
    maxNumSeqs: body.max_num_seqs ?? undefined,
    kvCacheDtype: body.kv_cache_dtype === "auto" ? undefined : (body.kv_cache_dtype ?? undefined),
    numThreads: body.num_threads ?? undefined,
    download: body.download ?? undefined,
    hub: hubOf(body.download_hub),
    revision: body.revision ?? undefined,
  };
}

/** Words of a launch that some engines have, and that go to them as they are. */
const engineFields: readonly string[] = [
  "max_num_batched_tokens",
  "picture_cache_memory",
  "picture_cache_disk",
];

function hubOf(name: string | null | undefined): LaunchOptions["hub"] {
  const given = name?.toLowerCase() ?? "auto";
  if (given === "auto" || given === "") return undefined;
  const hub = hubNames.find((known) => known === given);
  if (hub !== undefined) return hub;
  throw invalid(
    `"download_hub" is ${JSON.stringify(given.slice(0, 40))}, which is no hub that is known here; use auto, ${hubNames.join(", ")}, or leave it out.`,
    "download_hub",
  );
}

function modelOf({ model_path: path, model_name: name }: LaunchRequest): string {
  if (path == null) {
    if (name != null) return name;
    throw invalid(
      'Say what to launch: "model_path" with a directory, or "model_name" with demo or a name of the registry.',
      "model_name",
    );
  }
  if (!isAbsolute(path)) {
    throw invalid(
      `"model_path" is ${path.length <= 100 ? path : "a long relative path"}; the server needs an absolute path, since it may run in another directory than you.`,
      "model_path",
    );
  }
  return path;
}

function invalid(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
