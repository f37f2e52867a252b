/**
 * A model's files where Python tools have put them: looks only, fetches nothing.
 *
 * Hugging Face: `models--owner--name/refs/<revision>` names the commit, `snapshots/<commit>` has the
 * files. ModelScope: `models/owner/name`, with dots as three underscores (SDK 1), or
 * `models/owner--name/snapshots/<revision>` (SDK 2).
 */
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

export type WantedFiles = {
  readonly hub: "huggingface" | "modelscope";
  /** `owner/name` and the names it has or had. */
  readonly ids: readonly string[];
  readonly revision: string | undefined;
};

/** @returns the absolute directory of a copy that has a `config.json`; `undefined` without one */
export async function findLocalCopy(
  { hub, ids, revision }: WantedFiles,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  for (const id of ids) {
    const candidates =
      hub === "huggingface"
        ? await huggingFaceSnapshots(id, revision ?? "main", env)
        : modelScopeDirectories(id, revision ?? "master", env);
    for (const directory of candidates) {
      const config = await stat(join(directory, "config.json")).catch(() => undefined);
      if (config?.isFile() === true) return directory;
    }
  }
  return undefined;
}

async function huggingFaceSnapshots(
  id: string,
  revision: string,
  env: NodeJS.ProcessEnv,
): Promise<string[]> {
  const cacheHome = env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const cache =
    env["HF_HUB_CACHE"] ??
    env["HUGGINGFACE_HUB_CACHE"] ??
    join(env["HF_HOME"] ?? join(cacheHome, "huggingface"), "hub");
  const repository = join(cache, `models--${id.replaceAll("/", "--")}`);
  const commit = await readFile(join(repository, "refs", revision), "utf8").catch(() => revision);
  return /^[0-9a-f]{40}$/.test(commit.trim()) ? [join(repository, "snapshots", commit.trim())] : [];
}

function modelScopeDirectories(id: string, revision: string, env: NodeJS.ProcessEnv): string[] {
  const home = join(homedir(), ".cache", "modelscope");
  const [owner = "", name = ""] = id.split("/");
  return [
    join(env["MODELSCOPE_CACHE"] ?? home, "models", `${owner}--${name}`, "snapshots", revision),
    join(
      env["MODELSCOPE_CACHE"] ?? join(home, "hub"),
      "models",
      owner,
      name.replaceAll(".", "___"),
    ),
  ];
}
