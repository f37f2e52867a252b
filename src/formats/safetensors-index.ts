/** `model.safetensors.index.json`: which file of several holds which tensor. */
import { PlatformError } from "../base/errors.ts";
import { shown } from "./shown.ts";

const SHARD_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,250}\.safetensors$/;

/**
 * @param json the parsed file
 * @returns tensor name → file name, always a plain name of a file beside the index
 * @throws PlatformError `corrupt_model_file`
 */
export function parseSafetensorsIndex(json: unknown): ReadonlyMap<string, string> {
  const weightMap = isRecord(json) ? json["weight_map"] : undefined;
  if (!isRecord(weightMap)) throw corrupt('it has no "weight_map"');
  return new Map(
    Object.entries(weightMap).map(([tensor, file]) => {
      if (typeof file !== "string" || !SHARD_NAME.test(file)) {
        throw corrupt(
          `it puts ${shown(tensor)} into "${shown(file)}", which is no plain name of a safetensors file`,
        );
      }
      return [tensor, file];
    }),
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function corrupt(what: string): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `model.safetensors.index.json cannot be used: ${what}. Download it again.`,
  );
}
