import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** What the platform writes for itself: `ATALAYA_HOME`, else `~/.atalaya`; absolute. */
export function atalayaHome(env: NodeJS.ProcessEnv): string {
  return resolve(env["ATALAYA_HOME"] ?? join(homedir(), ".atalaya"));
}
