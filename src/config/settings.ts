/** Flags and environment → one checked `Settings`. A flag wins over the environment, which wins over the default. */
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, resolve } from "node:path";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import { atalayaHome } from "../base/home.ts";
import { type LogLevel, logLevels } from "../base/logger.ts";
import { savedToken } from "./saved-token.ts";

/** Which generation of Xinference answers where the two contradict each other. */
export type XinferenceEra = "3" | "0.16";

export type Settings = {
  /** Where a server listens. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Where clients find a server, without a trailing slash. */
  readonly endpoint: string;
  /** What a client shows the server: a key, or the token of a login. */
  readonly apiKey: string | undefined;
  /** What the platform writes for itself. */
  readonly home: string;
  /** Directories that registered models may lie in, absolute. */
  readonly modelRoots: readonly string[];
  readonly logLevel: LogLevel;
  /** Whether pictures are fetched from `http:` and `https:` addresses. */
  readonly fetchMedia: boolean;
  /** The folder whose files `file:` addresses may name, absolute. */
  readonly mediaRoot: string | undefined;
  readonly compat: XinferenceEra;
};

/** As typed: nothing is checked yet. */
export type SettingFlags = {
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly fetchMedia?: boolean | undefined;
  readonly mediaRoot?: string | undefined;
  readonly compat?: string | undefined;
};

const defaultPort = 9997;

const loopback = /^(127(\.\d{1,3}){3}|localhost|::1|\[::1\])$/i;

/**
 * @throws PlatformError `invalid_request`, naming the flag or variable and its value
 */
export function readSettings(flags: SettingFlags, env: NodeJS.ProcessEnv): Settings {
  const host = checkHost(pick(flags.host, "--host", env, ["ATALAYA_HOST"]));
  const port = checkPort(pick(flags.port, "--port", env, ["ATALAYA_PORT"]));
  const endpoint = pick(flags.endpoint, "--endpoint", env, [
    "ATALAYA_ENDPOINT",
    "XINFERENCE_ENDPOINT",
  ]);
  const home = atalayaHome(env);
  const server = endpoint === undefined ? ownEndpoint(host, port) : checkEndpoint(endpoint);
  return {
    host,
    port,
    endpoint: server,
    apiKey: flags.apiKey ?? (env["ATALAYA_API_KEY"] || savedToken(home, server)),
    home,
    modelRoots: checkModelRoots(env["ATALAYA_MODEL_ROOTS"]),
    logLevel: checkLogLevel(pick(flags.logLevel, "--log-level", env, ["ATALAYA_LOG_LEVEL"])),
    fetchMedia: flags.fetchMedia !== false,
    mediaRoot: checkMediaRoot(pick(flags.mediaRoot, "--media-root", env, ["ATALAYA_MEDIA_ROOT"])),
    compat: checkCompat(pick(flags.compat, "--compat", env, ["ATALAYA_COMPAT"])),
  };
}

/** Whoever listens on every address is asked on this machine's own. */
function ownEndpoint(host: string, port: number): string {
  const asked = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${urlHost(asked)}:${port}`;
}

/** Whether only this machine reaches what listens there. */
export function isLoopback(host: string): boolean {
  return loopback.test(host);
}

/** An address as it stands in a URL: IPv6 in brackets. */
export function urlHost(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

type Given = { readonly value: string; readonly source: string };

function pick(
  flag: string | undefined,
  flagName: string,
  env: NodeJS.ProcessEnv,
  variables: readonly string[],
): Given | undefined {
  if (flag !== undefined) return { value: flag, source: flagName };
  for (const source of variables) {
    const value = env[source];
    if (value !== undefined && value !== "") return { value, source };
  }
  return undefined;
}

function checkHost(given: Given | undefined): string {
  if (given === undefined) return "127.0.0.1";
  if (!/^[\w.:[\]%-]{1,253}$/.test(given.value)) {
    throw invalid(
      `${given.source} is ${given.value}; a host is an address or a name of this machine.`,
    );
  }
  return given.value.replace(/^\[(.*)\]$/, "$1");
}

function checkPort(given: Given | undefined): number {
  if (given === undefined) return defaultPort;
  const port = Number(given.value);
  if (!/^\d+$/.test(given.value) || port > 65_535) {
    throw invalid(`${given.source} is ${given.value}; a port is a number from 0 to 65535.`);
  }
  return port;
}

function checkEndpoint({ value, source }: Given): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalid(`${source} is ${value}; an endpoint looks like http://127.0.0.1:9997.`);
  }
  return value.replace(/\/+$/, "");
}

/** A list as PATH is one; the person's own directory when nothing is set. */
function checkModelRoots(value: string | undefined): string[] {
  if (value === undefined || value === "") return [homedir()];
  const roots = value.split(delimiter).filter((root) => root !== "");
  const relative = roots.find((root) => !isAbsolute(root));
  if (relative !== undefined) {
    throw invalid(
      `ATALAYA_MODEL_ROOTS has ${relative}, which is not absolute; list directories in full, such as /data/models.`,
    );
  }
  return roots;
}

function checkLogLevel(given: Given | undefined): LogLevel {
  if (given === undefined) return "warn";
  // Python's names too, as they are written there.
  const name = given.value.toLowerCase();
  const level = z
    .enum(logLevels)
    .safeParse(({ warning: "warn", critical: "error" } as Record<string, string>)[name] ?? name);
  if (!level.success) {
    throw invalid(`${given.source} is ${given.value}; use one of ${logLevels.join(", ")}.`);
  }
  return level.data;
}

function checkCompat(given: Given | undefined): XinferenceEra {
  if (given === undefined) return "3";
  const { value, source } = given;
  if (value === "3" || value === "0.16") return value;
  throw invalid(`${source} is ${value}; the generations of Xinference are 3 and 0.16.`);
}

function checkMediaRoot(given: Given | undefined): string | undefined {
  if (given === undefined) return undefined;
  const root = resolve(given.value);
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw invalid(`${given.source} is ${given.value}, and there is no such directory.`);
  }
  return root;
}

function invalid(message: string): PlatformError {
  return new PlatformError("invalid_request", message);
}
