/**
 * Which files of a repository are downloaded.
 *
 * Pickles run code when they are opened, and so do a repository's own modules: neither is ever fetched.
 * Of the weights that come in several formats this leaves safetensors.
 */
import { PlatformError } from "../base/errors.ts";
import { type RepoId, shown, showRepo } from "./names.ts";
import type { RemoteFile } from "./sources/source.ts";

export type Patterns = {
  /** Of these; of all when empty. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
};

/** Formats that hold Python objects, and weights of other frameworks that nothing here reads. */
const unsafeWeights = /\.(bin|pt|pth|ckpt|pkl|pickle|joblib|npy|npz|h5|hdf5|keras|msgpack|ot)$/i;
const neverFetched = /\.(py|pyc|so|dll|dylib|sh|bat|exe|onnx|tflite|mlmodel)$/i;
/** Of the repository, not of the model. */
const housekeeping = /^(\.git.*|.*\/\.git.*)$/;

/** @throws PlatformError `unsafe_weights_format` when only pickles are there, `model_not_found` when nothing is left */
export function chooseFiles<File extends Pick<RemoteFile, "path">>(
  files: readonly File[],
  { include, exclude }: Patterns,
  repo: RepoId,
): File[] {
  const name = showRepo(repo);
  const asked = files.filter(
    ({ path }) =>
      (include.length === 0 || include.some((pattern) => matches(path, pattern))) &&
      !exclude.some((pattern) => matches(path, pattern)),
  );
  const wanted = asked.filter(({ path }) => isSafe(path));
  const pickle = asked.find(({ path }) => unsafeWeights.test(path));
  const hasWeights = wanted.some(({ path }) => /\.(safetensors|gguf)$/i.test(path));
  if (pickle !== undefined && !hasWeights && (include.length === 0 || wanted.length === 0)) {
    throw new PlatformError(
      "unsafe_weights_format",
      `${name} has its weights as pickles only (${shown(pickle.path)}), which run code when they are opened. They are not downloaded; look for a repository with safetensors.`,
    );
  }
  if (wanted.length === 0) {
    throw new PlatformError(
      "model_not_found",
      `No file of ${name} is left to download. It has ${files.length === 0 ? "none" : shown(files.map(({ path }) => path).join(", "))}.`,
    );
  }
  return wanted;
}

function isSafe(path: string): boolean {
  return !unsafeWeights.test(path) && !neverFetched.test(path) && !housekeeping.test(path);
}

/** What a checkpoint in this directory cannot be loaded without. */
export function isNeeded(path: string): boolean {
  return isSafe(path) && /^[^/]+\.(safetensors|json|jinja|model)$/i.test(path);
}

/**
 * As Python's `fnmatch`, which the hubs' own tools use: `*` also crosses a `/`, and a trailing `/`
 * means everything below.
 */
export function matches(path: string, pattern: string): boolean {
  const whole = pattern.endsWith("/") ? `${pattern}*` : pattern;
  const expression = whole
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, "[^]*")
    .replaceAll("?", "[^]");
  return new RegExp(`^${expression}$`).test(path);
}
