/** `model.safetensors.index.json`: which file of several holds which tensor. */
import { PlatformError } from "../base/errors.ts";
import { parseUniqueJson } from "./unique-json.ts";

/**
 * @returns tensor name → file name, a plain name beside the index
 * @throws PlatformError `corrupt_model_file`
 */
export function parseSafetensorsIndex(text: string): ReadonlyMap<string, string> {
  const fail = (what: string, cause?: unknown): PlatformError =>
    new PlatformError(
      "corrupt_model_file",
      `model.safetensors.index.json ${what}. Download it again.`,
      { cause },
    );
  let parsed: unknown;
  try {
    parsed = parseUniqueJson(text);
  } catch (cause) {
    throw fail("is no JSON", cause);
  }
  const map =
    typeof parsed === "object" && parsed !== null && "weight_map" in parsed
      ? parsed.weight_map
      : undefined;
  if (typeof map !== "object" || map === null) throw fail("has no weight_map");
  return new Map(
    Object.entries(map).map(([tensor, file]) => {
      if (typeof file !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$/.test(file)) {
        throw fail("names a shard that is no plain file name");
      }
      return [tensor, file];
    }),
  );
}
