/** Where this package lies, and which version it is; the same from source and from `dist`. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The directory that holds our `package.json`. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error("no package.json above this file");
    directory = parent;
  }
  return directory;
}

/** This package's own version. */
export function packageVersion(): string {
  const text: unknown = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8"));
  if (typeof text === "object" && text !== null && "version" in text) return String(text.version);
  throw new Error("package.json has no version");
}
