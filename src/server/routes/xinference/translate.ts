/** Xinference's launch words → ours. Pure. */
import { isAbsolute } from "node:path";
import type { LaunchRequest } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { LaunchOptions } from "../../../supervisor/supervisor.ts";
import { unsupportedField } from "../../known-fields.ts";

/**
 * @param unknown names of the body's fields that nothing reads: a launch with a mistyped option
 *   would run otherwise than its owner believes, so it is refused
 * @throws PlatformError `invalid_request`, `unsupported_parameter`
 */
export function toLaunchOptions(body: LaunchRequest, unknown: readonly string[]): LaunchOptions {
  const [firstUnknown] = unknown;
  if (firstUnknown !== undefined) throw unsupportedField(firstUnknown);
  return {
    model: modelOf(body),
    uid: body.model_uid ?? undefined,
    engine: body.model_engine ?? "native",
    profile: body.profile ?? "ref",
    maxModelLen: body.max_model_len ?? undefined,
    maxNumSeqs: body.max_num_seqs ?? undefined,
    kvCacheDtype: body.kv_cache_dtype ?? undefined,
    numThreads: body.num_threads ?? undefined,
  };
}

function modelOf({ model_path: path, model_name: name }: LaunchRequest): string {
  if (path == null) {
    if (name != null) return name;
    throw invalid(
      'Say what to launch: "model_path" with a directory, or "model_name" with demo.',
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
