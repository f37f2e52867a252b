/** Whether the native engine can run on this machine, without starting it. */
import { PlatformError } from "../../base/errors.ts";
import { findLibraryDirectory } from "../../ggml/library.ts";
import type { Obstacle } from "../engine.ts";

/** `undefined` when ggml is installed for this machine; loading it is left to the worker. */
export async function findObstacle(): Promise<Obstacle | undefined> {
  try {
    findLibraryDirectory();
    return undefined;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const [reason = "", remedy = ""] = error.message.split(/(?<=\.) /, 2);
    return { reason, remedy };
  }
}
