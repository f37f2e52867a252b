/**
 * The environment → where the hubs are, where their caches lie, and who we are there.
 *
 * Names, order and defaults are those of the hubs' own libraries, so that both find the same files.
 *
 * @see huggingface_hub 2.0.0, `constants.py` and `utils/_auth.py`
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PlatformError } from "../base/errors.ts";

export const hubNames = ["huggingface", "modelscope"] as const;
export type HubName = (typeof hubNames)[number];

export type HubSettings = {
  readonly huggingface: HubPlace;
  readonly modelscope: HubPlace;
  /** Whether nothing may be asked of a hub. */
  readonly isOffline: boolean;
  /** Which hub to ask; `undefined` lets us choose. */
  readonly preferred: HubName | undefined;
  readonly proxies: ProxySettings;
};

export type HubPlace = {
  /** Tried in this order, without a trailing slash. */
  readonly endpoints: readonly string[];
  /** The directory that the hub's own library uses. */
  readonly cacheDirectory: string;
  /** Other directories that may hold models, in older layouts; read only. */
  readonly olderDirectories: readonly string[];
  readonly token: HubToken | undefined;
};

/** Never shown, never logged; only its source is. */
export type HubToken = { readonly value: string; readonly source: string };

export type ProxySettings = {
  readonly http: string | undefined;
  readonly https: string | undefined;
  readonly except: string | undefined;
};

/** A token is a line of text; what is longer is something else. */
const MAX_TOKEN_CHARACTERS = 4_096;

/** @throws PlatformError `invalid_request`, naming the variable and its value */
export async function readHubSettings(env: NodeJS.ProcessEnv, home: string): Promise<HubSettings> {
  const [huggingface, modelscope] = await Promise.all([
    readHuggingFace(env, home),
    readModelScope(env, home),
  ]);
  return {
    huggingface,
    modelscope,
    isOffline: isTrue(env["HF_HUB_OFFLINE"] || env["TRANSFORMERS_OFFLINE"]),
    preferred: readPreferred(env),
    proxies: readProxies(env),
  };
}

async function readHuggingFace(env: NodeJS.ProcessEnv, home: string): Promise<HubPlace> {
  const expand = (path: string): string => expandPath(path, env, home);
  const hfHome = expand(
    env["HF_HOME"] ?? join(env["XDG_CACHE_HOME"] ?? join(home, ".cache"), "huggingface"),
  );
  const cache = env["HF_HUB_CACHE"] ?? env["HUGGINGFACE_HUB_CACHE"] ?? join(hfHome, "hub");
  const tokenFile = expand(env["HF_TOKEN_PATH"] ?? join(hfHome, "token"));
  return {
    endpoints: [readEndpoint(env, "HF_ENDPOINT") ?? "https://huggingface.co"],
    cacheDirectory: expand(cache),
    olderDirectories: [],
    token:
      tokenFrom(env, ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) ??
      (isTrue(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"]) ? undefined : await tokenIn(tokenFile)),
  };
}

/** A saved login of ModelScope is a pickle, which we do not open: its token comes by variable. */
async function readModelScope(env: NodeJS.ProcessEnv, home: string): Promise<HubPlace> {
  const expand = (path: string): string => expandPath(path, env, home);
  const cache = expand(env["MODELSCOPE_CACHE"] ?? join(home, ".cache", "modelscope"));
  const domain = env["MODELSCOPE_DOMAIN"];
  const endpoint =
    readEndpoint(env, "MODELSCOPE_ENDPOINT") ??
    (domain === undefined || domain === ""
      ? undefined
      : readEndpoint({ MODELSCOPE_DOMAIN: `https://${domain}` }, "MODELSCOPE_DOMAIN"));
  const sites = ["https://modelscope.cn", "https://www.modelscope.ai"];
  const prefersInternational = isTrue(env["MODELSCOPE_PREFER_AI_SITE"]);
  return {
    endpoints:
      endpoint === undefined ? (prefersInternational ? sites.toReversed() : sites) : [endpoint],
    cacheDirectory: cache,
    olderDirectories: env["MODELSCOPE_CACHE"] === undefined ? [join(cache, "hub"), cache] : [cache],
    token: tokenFrom(env, ["MODELSCOPE_API_TOKEN"]),
  };
}

function readEndpoint(env: NodeJS.ProcessEnv, variable: string): string | undefined {
  const value = env[variable];
  if (value === undefined || value === "") return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "") {
    throw invalid(`${variable} is ${value}; a hub's address looks like https://huggingface.co.`);
  }
  return value.replace(/\/+$/, "");
}

function readPreferred(env: NodeJS.ProcessEnv): HubName | undefined {
  for (const variable of ["ATALAYA_HUB", "XINFERENCE_MODEL_SRC"]) {
    const value = env[variable];
    if (value === undefined || value === "" || value === "auto") continue;
    return checkHubName(value, variable);
  }
  return undefined;
}

function checkHubName(value: string, source: string): HubName {
  const name = hubNames.find((known) => known === value.toLowerCase());
  if (name === undefined) {
    throw invalid(`${source} is ${value}; use one of auto, ${hubNames.join(", ")}.`);
  }
  return name;
}

function readProxies(env: NodeJS.ProcessEnv): ProxySettings {
  const first = (...names: string[]): string | undefined =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
  const all = first("all_proxy", "ALL_PROXY");
  const http = first("http_proxy", "HTTP_PROXY") ?? all;
  const https = first("https_proxy", "HTTPS_PROXY") ?? all;
  return {
    http: http === undefined ? undefined : checkProxy(http),
    https: https === undefined ? undefined : checkProxy(https),
    except: first("no_proxy", "NO_PROXY"),
  };
}

function checkProxy(value: string): string {
  const withScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(withScheme) || !/^https?:$/.test(new URL(withScheme).protocol)) {
    // Its user and password stay unsaid.
    throw invalid(
      "The proxy in http_proxy, https_proxy or all_proxy cannot be used; one looks like http://proxy.example:3128.",
    );
  }
  return withScheme;
}

function tokenFrom(env: NodeJS.ProcessEnv, variables: readonly string[]): HubToken | undefined {
  for (const source of variables) {
    const value = cleanToken(env[source] ?? "", source);
    if (value !== undefined) return { value, source };
  }
  return undefined;
}

async function tokenIn(path: string): Promise<HubToken | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  const value = cleanToken(text, path);
  return value === undefined ? undefined : { value, source: path };
}

function cleanToken(text: string, source: string): string | undefined {
  const value = text.replace(/[\r\n]/g, "").trim();
  if (value === "") return undefined;
  // It becomes part of a header line.
  if (value.length > MAX_TOKEN_CHARACTERS || !/^[\x21-\x7e]+$/.test(value)) {
    throw invalid(`What is in ${source} is no token: it has characters that no token has.`);
  }
  return value;
}

/** `~` and `$NAME` as Python's `expanduser` and `expandvars` see them. */
function expandPath(path: string, env: NodeJS.ProcessEnv, home: string): string {
  const withHome = path.replace(/^~(?=[\\/]|$)/, () => home);
  return resolve(
    withHome.replace(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (whole, braced?: string, bare?: string) => env[braced ?? bare ?? ""] ?? whole,
    ),
  );
}

function isTrue(value: string | undefined): boolean {
  return ["1", "ON", "YES", "TRUE"].includes((value ?? "").toUpperCase());
}

function invalid(message: string): PlatformError {
  return new PlatformError("invalid_request", message);
}
