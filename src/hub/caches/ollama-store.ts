/**
 * Models that Ollama has downloaded, found and never written to.
 *
 * `manifests/HOST/NAMESPACE/MODEL/TAG` lists layers by digest; `blobs/sha256-…` are the layers.
 */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { didYouMean } from "../../base/nearest.ts";

const OLLAMA_PREFIX = "ollama:";

export type OllamaModel = {
  /** With host, namespace and tag: `registry.ollama.ai/library/llama3.2-vision:11b`. */
  readonly reference: string;
  /** Its last part: `llama3.2-vision`. */
  readonly name: string;
  readonly tag: string;
  /** Absolute paths of its files, inside the store. */
  readonly model: string;
  /** The eyes, which older models keep in a file of their own. */
  readonly projector: string | undefined;
  /** The parsed `params` layer. */
  readonly parameters: unknown;
};

type Reference = {
  readonly host: string;
  readonly namespace: string;
  readonly name: string;
  readonly tag: string;
};

const DEFAULT_HOST = "registry.ollama.ai";
const DEFAULT_NAMESPACE = "library";
const DEFAULT_TAG = "latest";
/** Manifests and params have a few hundred bytes. */
const MAX_JSON_BYTES = 1024 * 1024;
/** Of a store: more are not looked at. */
const MAX_LISTED = 2_000;

const Manifest = z.looseObject({
  layers: z
    .array(
      z.looseObject({
        mediaType: z.string(),
        digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
        size: z.int().min(0),
      }),
    )
    .max(256),
});
type Layer = z.infer<typeof Manifest>["layers"][number];

/** `undefined` for what does not begin with `ollama:`. */
export function ollamaName(name: string): string | undefined {
  return name.startsWith(OLLAMA_PREFIX) ? name.slice(OLLAMA_PREFIX.length) : undefined;
}

/**
 * @param name `llama3.2-vision`, with `:tag`, `namespace/` and `host/` before it as they are needed
 * @throws PlatformError `model_not_found` with what there is, `corrupt_model_file` when the store
 *   contradicts itself, `invalid_request` for what is no name
 */
export async function findOllamaModel(name: string, env: NodeJS.ProcessEnv): Promise<OllamaModel> {
  const wanted = parseReference(name);
  const stores = await existing(storePaths(env));
  for (const store of stores) {
    const path = join(store, "manifests", wanted.host, wanted.namespace, wanted.name, wanted.tag);
    if ((await stat(path).catch(() => undefined))?.isFile() !== true) continue;
    return await readModel(store, wanted, await pathInside(store, path));
  }
  throw await notFound(wanted, stores, env);
}

/** Names of everything in the stores, as short as they can be typed. */
export async function listOllamaModels(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const stores = await existing(storePaths(env));
  const names = await Promise.all(stores.map(listStore));
  return [...new Set(names.flat())].toSorted();
}

/** `OLLAMA_MODELS`, else where Ollama puts them: for a user, and for the service of Linux packages. */
function storePaths(env: NodeJS.ProcessEnv): readonly string[] {
  const chosen = env["OLLAMA_MODELS"];
  if (chosen !== undefined && chosen !== "") return [chosen];
  const home = env["HOME"] ?? env["USERPROFILE"] ?? homedir();
  const ofUser = join(home, ".ollama", "models");
  return process.platform === "linux" ? [ofUser, "/usr/share/ollama/.ollama/models"] : [ofUser];
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const real = await Promise.all(
    paths.map((path) =>
      realpath(join(path, "manifests")).then(
        () => realpath(path),
        () => "",
      ),
    ),
  );
  return real.filter((path) => path !== "");
}

function parseReference(name: string): Reference {
  const parts = name.split("/");
  const [last = "", ...tags] = (parts.at(-1) ?? "").split(":");
  const isSound = (part: string): boolean =>
    /^[\w][\w.-]{0,127}$/.test(part) && !part.includes("..");
  const [tag = DEFAULT_TAG] = tags;
  // A host may have a port.
  const [namespace = DEFAULT_NAMESPACE, host = DEFAULT_HOST] = parts.slice(0, -1).toReversed();
  const isHost = /^[\w][\w.-]{0,127}(:\d{1,5})?$/.test(host) && !host.includes("..");
  if (parts.length > 3 || tags.length > 1 || !isHost || ![last, tag, namespace].every(isSound)) {
    throw new PlatformError(
      "invalid_request",
      `${shown(OLLAMA_PREFIX + name)} is no name of Ollama's. One looks like ollama:llama3.2-vision or ollama:llama3.2-vision:11b.`,
      { details: { param: "model_name" } },
    );
  }
  return { host, namespace, name: last, tag };
}

async function readModel(
  store: string,
  reference: Reference,
  manifestPath: string,
): Promise<OllamaModel> {
  const full = `${reference.host}/${reference.namespace}/${reference.name}:${reference.tag}`;
  const manifest = Manifest.safeParse(await readJson(manifestPath, full));
  if (!manifest.success) {
    throw corrupt(
      full,
      `its manifest has no sound ${manifest.error.issues[0]?.path.join(".") || "content"}`,
    );
  }
  const layer = (kind: string): Layer | undefined =>
    manifest.data.layers.find(
      ({ mediaType }) => mediaType === `application/vnd.ollama.image.${kind}`,
    );
  const model = layer("model");
  if (model === undefined) throw corrupt(full, "its manifest names no weights (no model layer)");
  const projector = layer("projector");
  const params = layer("params");
  return {
    reference: full,
    name: reference.name,
    tag: reference.tag,
    model: await blobOf(store, model, full),
    projector: projector === undefined ? undefined : await blobOf(store, projector, full),
    parameters:
      params === undefined ? undefined : await readJson(await blobOf(store, params, full), full),
  };
}

async function blobOf(store: string, { digest, size }: Layer, full: string): Promise<string> {
  const path = join(store, "blobs", digest.replace(":", "-"));
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) throw corrupt(full, `its file ${digest.slice(0, 19)}… is missing`);
  if (info.size !== size) {
    throw corrupt(
      full,
      `its file ${digest.slice(0, 19)}… has ${info.size} bytes, and the manifest says ${size}`,
    );
  }
  return await pathInside(store, path);
}

/** Links are followed, but not out of the store. */
async function pathInside(store: string, path: string): Promise<string> {
  const real = await realpath(path);
  const way = relative(store, real);
  if (way !== "" && !/^\.\.([\\/]|$)/.test(way) && !isAbsolute(way)) return real;
  throw new PlatformError(
    "corrupt_model_file",
    `${path} leads out of Ollama's store to ${real}. Set OLLAMA_MODELS to the store that has the file itself.`,
  );
}

async function readJson(path: string, full: string): Promise<unknown> {
  const info = await stat(path);
  if (info.size > MAX_JSON_BYTES) throw corrupt(full, `${path} has ${info.size} bytes`);
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw corrupt(full, `${path} is not JSON`, cause);
  }
}

async function listStore(store: string): Promise<readonly string[]> {
  const root = join(store, "manifests");
  const names: string[] = [];
  for (const host of await folders(root)) {
    for (const namespace of await folders(join(root, host))) {
      for (const name of await folders(join(root, host, namespace))) {
        for (const tag of await readdir(join(root, host, namespace, name)).catch(() => [])) {
          names.push(shortName({ host, namespace, name, tag }));
          if (names.length >= MAX_LISTED) return names;
        }
      }
    }
  }
  return names;
}

async function folders(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function shortName({ host, namespace, name, tag }: Reference): string {
  const place =
    host !== DEFAULT_HOST
      ? `${host}/${namespace}/`
      : namespace === DEFAULT_NAMESPACE
        ? ""
        : `${namespace}/`;
  return `${place}${name}${tag === DEFAULT_TAG ? "" : `:${tag}`}`;
}

async function notFound(
  wanted: Reference,
  stores: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<PlatformError> {
  const name = shortName(wanted);
  const names = await listOllamaModels(env);
  const text =
    stores.length === 0
      ? `There is no store of Ollama's at ${storePaths(env).join(" or ")}. Set OLLAMA_MODELS to where it is, or download the model: ollama pull ${name}`
      : names.length === 0
        ? `Ollama's store at ${stores.join(", ")} is empty. Download the model: ollama pull ${name}`
        : `Ollama's store at ${stores.join(", ")} has no ${name}; it has ${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}.${didYouMean(name, names)} To download it: ollama pull ${name}`;
  return new PlatformError("model_not_found", text, { details: { param: "model_name" } });
}

function corrupt(full: string, what: string, cause?: unknown): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `Ollama's model ${full} cannot be used: ${what}. Download it again: ollama pull ${full.replace(`${DEFAULT_HOST}/${DEFAULT_NAMESPACE}/`, "")}`,
    { cause },
  );
}

const shown = (text: string): string => text.slice(0, 100).replace(/[^\x20-\x7e]/g, "?");
