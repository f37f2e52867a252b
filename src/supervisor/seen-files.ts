/**
 * Whether a model's files are still those that a launch has checked: a directory may be exchanged for another between
 * the check and the load.
 */
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../base/errors.ts";

/** By path: which file it is, how long, and when it was written. */
export type SeenFiles = ReadonlyMap<string, string>;

/** What an engine reads of a model. */
const isOfModel = (name: string): boolean => /\.(json|safetensors|gguf|jinja)$/.test(name);

/** @param path a checkpoint's directory, or a file that is a whole model; nothing is seen where there is none */
export async function seeFiles(path: string): Promise<SeenFiles> {
  const seen = new Map<string, string>();
  const see = async (file: string): Promise<void> => {
    const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true });
    seen.set(await realpath(file), [dev, ino, size, mtimeNs].join(":"));
  };
  try {
    const entries = (await stat(path)).isDirectory() ? await readdir(path) : undefined;
    if (entries === undefined) await see(path);
    for (const name of entries?.filter(isOfModel) ?? []) await see(join(path, name));
  } catch (error) {
    // What is gone was seen by nobody; who opens it has the sentence for that.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    throw error;
  }
  return seen;
}

/** @throws PlatformError `corrupt_model_file` when the files at `path` are not those that were seen there */
export async function checkUnchanged(path: string, seen: SeenFiles): Promise<void> {
  const now = await seeFiles(path);
  const changed = [...seen].find(([file, state]) => now.get(file) !== state);
  if (changed === undefined && now.size === seen.size) return;
  throw new PlatformError(
    "corrupt_model_file",
    `${changed?.[0] ?? path} was changed while the model was loaded, so it is not served. Launch it again when nothing writes there any more.`,
  );
}
