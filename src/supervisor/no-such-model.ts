/** What is said of a name that no running model has. Pure. */
import { PlatformError } from "../base/errors.ts";

/**
 * @param name as it was given
 * @param running uids to choose from instead
 * @returns a PlatformError `model_not_found`, with both in its details for whoever must say it to others
 */
export function noSuchModel(name: string, running: readonly string[]): PlatformError {
  const others =
    running.length === 0
      ? "None is running: launch one with atalaya launch DIRECTORY."
      : `Running: ${running.map((uid) => `"${uid}"`).join(", ")}.`;
  // Whatever else was sent as a name is not repeated: it may be a path, or a page of text.
  const shown = /^[\w.:-]{1,100}$/.test(name) ? `is called "${name}"` : "has that name";
  return new PlatformError("model_not_found", `No model ${shown}. ${others}`, {
    details: { param: "model", name, running },
  });
}
