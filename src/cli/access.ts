/** Who may ask the server that is about to start: decided, checked, and said, before it listens. */

import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { isLoopback, type Settings } from "../config/settings.ts";
import {
  type AccessOptions,
  FileAccounts,
  type IdentityOptions,
  identityOn,
  type ServerState,
} from "../platform.ts";
import type { AccessFlags } from "./options.ts";
import { note, type Terminal } from "./terminal.ts";

/**
 * @throws PlatformError `invalid_request` when other machines would reach a server that nobody has a key for
 */
export async function openAccess(
  {
    settings,
    flags,
    state,
    log,
  }: {
    readonly settings: Settings;
    readonly flags: AccessFlags;
    readonly state: ServerState;
    readonly log: Logger;
  },
  terminal: Terminal,
): Promise<{ readonly identity: IdentityOptions; readonly access: AccessOptions }> {
  const { host } = settings;
  const { authConfig, serverName, corsOrigin = [], trustedProxy } = flags;
  const isReachable = !isLoopback(host);
  const fileAccounts = authConfig === undefined ? undefined : await FileAccounts.read(authConfig);
  const isRefused = flags.insecureWithoutAuth === true;
  if (isRefused && (fileAccounts !== undefined || flags.auth === true)) {
    throw invalid(
      "--insecure-without-auth contradicts --auth and --auth-config. Leave one of them out.",
    );
  }
  const isRequired =
    flags.auth === true || fileAccounts !== undefined || (isReachable && !isRefused);
  const identity: IdentityOptions = { isRequired, fileAccounts };
  if (isRequired) await seeThatSomebodyGetsIn({ identity, settings, state, log }, terminal);
  if (isReachable) warn({ host, isRequired, hasProxy: trustedProxy !== undefined }, terminal);
  for (const origin of corsOrigin) checkOrigin(origin);
  return {
    identity,
    access: {
      ...(serverName === undefined ? {} : { serverNames: serverName }),
      corsOrigins: corsOrigin,
      ...(trustedProxy === undefined ? {} : { trustedProxies: trustedProxy }),
    },
  };
}

/** Without an administrator nobody could launch anything; where a person looks on, there is one now. */
async function seeThatSomebodyGetsIn(
  {
    identity: options,
    settings: { host },
    state,
    log,
  }: {
    readonly identity: IdentityOptions;
    readonly settings: Settings;
    readonly state: ServerState;
    readonly log: Logger;
  },
  terminal: Terminal,
): Promise<void> {
  const identity = identityOn(state.database, options, log);
  if (await identity.hasAdministrator()) return;
  // What is no terminal may be a log, and a key does not belong there.
  if (!terminal.stderr.isTTY) {
    const why = isLoopback(host)
      ? "Every request"
      : `Other machines can reach ${host}, so every request`;
    throw invalid(
      `${why} needs a key, and there is none. Make one first: atalaya key create --scope admin`,
    );
  }
  const wish = { name: "first administrator", permissions: ["admin"] as const };
  const { secret } = await identity.keys.create(wish, "server start");
  note(
    terminal,
    `An administrator's key, shown this once; keep it:\n\n  ${secret}\n\nClients send it as "authorization: Bearer KEY". More: atalaya key --help`,
  );
}

function warn(
  {
    host,
    isRequired,
    hasProxy,
  }: { readonly host: string; readonly isRequired: boolean; readonly hasProxy: boolean },
  terminal: Terminal,
): void {
  if (!isRequired) {
    note(
      terminal,
      `WARNING: whoever reaches ${host} may do everything here, without a key: launch, read, terminate.`,
    );
  } else if (!hasProxy) {
    note(
      terminal,
      `WARNING: keys and answers travel in clear to and from ${host}. Put a proxy that speaks TLS in front, and name it with --trusted-proxy.`,
    );
  }
}

function checkOrigin(origin: string): void {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.origin === origin.toLowerCase())
    return;
  throw invalid(
    `--cors-origin is ${origin}; an origin is a scheme, a host and perhaps a port, such as https://chat.example.org, and never *.`,
  );
}

function invalid(message: string): PlatformError {
  return new PlatformError("invalid_request", message);
}
