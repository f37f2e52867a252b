/** Which version this is, and where what it ships lies; the same from source and from `dist`. */
import { join } from "node:path";
import { packageRoot } from "../base/package-root.ts";

export { packageRoot, packageVersion } from "../base/package-root.ts";

/** The bundled checkpoint that knows coloured shapes and numbers. */
export function demoCheckpoint(): string {
  return join(packageRoot(), "demo", "checkpoint");
}

/** The families of models that we ship, a JSON file each. */
export function builtinModels(): string {
  return join(packageRoot(), "src", "registry", "builtin");
}

/** Pictures to ask the demo model about. */
export function demoPictures(): string {
  return join(packageRoot(), "demo", "pictures");
}
