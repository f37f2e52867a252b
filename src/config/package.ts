/** Which version this is, and where what it ships lies; the same from source and from `dist`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../base/package-root.ts";

export { packageRoot };

export function packageVersion(): string {
  const text: unknown = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8"));
  if (typeof text === "object" && text !== null && "version" in text) return String(text.version);
  throw new Error("package.json has no version");
}

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
