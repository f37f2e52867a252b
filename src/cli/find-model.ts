/** MODEL|DIRECTORY of a command → something to launch, or the name of a running model. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { ApiError, AtalayaClient } from "@atalaya/client";
import type { Settings } from "../config/settings.ts";
import type { AnswerSource } from "./answer-source.ts";
import { loadLocally, localSource } from "./local-source.ts";
import { type LoadFlags, typedLoadOptions } from "./options.ts";
import { serverSource } from "./server-source.ts";
import { note, type Terminal } from "./terminal.ts";

/** A server on this machine that does not answer by then is as good as none. */
const probeTimeoutMs = 1_000;

/**
 * What to launch for a name: a directory becomes absolute, `demo` and names of hubs stay.
 *
 * A word that is not plainly a path counts as a directory only when there is one.
 */
export function toLaunchable(name: string, cwd: string): string {
  if (name === "demo" || isAbsolute(name)) return name;
  if (/^~([\\/]|$)/.test(name)) return join(homedir(), name.slice(1));
  const isPath = /^\.{1,2}([\\/]|$)/.test(name) || /[\\/]$/.test(name);
  const path = resolve(cwd, name);
  return isPath || existsSync(path) ? path : name;
}

/**
 * A running model of that name on the server, else one loaded into this process.
 *
 * @throws PlatformError `model_not_found` when neither a server, the registry nor the disk knows it, and
 *   whatever loading says
 */
export async function openSource(
  name: string,
  { flags, settings }: { readonly flags: LoadFlags; readonly settings: Settings },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<AnswerSource> {
  const client = new AtalayaClient(settings);
  if (!/[\\/]/.test(name) && (await isRunning(client, name, terminal))) {
    const unused = typedLoadOptions(flags);
    if (unused.length > 0) {
      const options = unused.join(", ");
      note(
        terminal,
        `${name} runs on the server at ${settings.endpoint} as it was launched there: ${options} ${unused.length === 1 ? "is" : "are"} not used. Launch it again with them, under another --model-uid.`,
      );
    }
    return serverSource(client, name);
  }
  const model = toLaunchable(name, terminal.cwd);
  return localSource(await loadLocally({ model, flags, settings }, terminal, signal));
}

/** @returns false too when no server answers, or another program does */
async function isRunning(client: AtalayaClient, uid: string, terminal: Terminal): Promise<boolean> {
  try {
    const models = await client.listModels({ signal: AbortSignal.timeout(probeTimeoutMs) });
    return models.some(({ id }) => id === uid);
  } catch (error) {
    const isAbsent =
      (error instanceof ApiError && error.code === "unreachable") ||
      (error instanceof Error && error.name === "TimeoutError");
    if (isAbsent) return false;
    if (error instanceof ApiError && error.code === "foreign_server") {
      note(terminal, `${error.message} The model is loaded here.`);
      return false;
    }
    throw error;
  }
}
