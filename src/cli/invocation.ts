/** How this program was started, so that the lines it prints can be copied and run. */
import { basename, relative } from "node:path";

export function invocation(script: string | undefined, cwd: string): string {
  if (script === undefined || !/^main\.(js|ts)$/.test(basename(script))) return "atalaya";
  const path = relative(cwd, script);
  if (path.startsWith("..")) return "atalaya";
  return path.endsWith(".ts") ? `npx tsx ${path}` : `node ${path}`;
}
