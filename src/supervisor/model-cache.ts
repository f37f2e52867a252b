/** Models whose files lie in the hubs' caches, under the names of the registry; and how to remove them. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import type { Hub } from "../hub/hub.ts";
import type { ModelFamily, ModelSpec } from "../registry/model-family.ts";
import type { Registry } from "../registry/registry.ts";
import { modelVersion } from "./model-version.ts";
import type { Supervisor } from "./supervisor.ts";

export type CachedFiles = {
  readonly modelName: string;
  /** In billions; `undefined` for what the registry does not know. */
  readonly size: number | undefined;
  readonly format: string;
  readonly quantization: string;
  readonly version: string;
  readonly repo: string;
  readonly directory: string;
};

export class ModelCache {
  readonly #openHub: () => Promise<Hub>;
  readonly #registry: Registry;
  readonly #supervisor: Supervisor;

  constructor(parts: {
    readonly openHub: () => Promise<Hub>;
    readonly registry: Registry;
    readonly supervisor: Supervisor;
  }) {
    this.#openHub = parts.openHub;
    this.#registry = parts.registry;
    this.#supervisor = parts.supervisor;
  }

  /** What is there as a whole; a part of a download is not. */
  async list(): Promise<readonly CachedFiles[]> {
    const cached = (await (await this.#openHub()).list()).filter(({ isWhole }) => isWhole);
    return await Promise.all(
      cached.map(async ({ repo, directory }): Promise<CachedFiles> => {
        const known = await this.#registry.seek(repo);
        const found = known?.spec === undefined ? undefined : { ...known, spec: known.spec };
        return { ...describe(repo, found), repo, directory };
      }),
    );
  }

  /** Whether a spec's files are there as a whole. */
  async has({ sources, directory }: ModelSpec): Promise<boolean> {
    if (directory !== undefined) return true;
    const hub = await this.#openHub();
    for (const { modelId, aliases, revision } of sources) {
      for (const repo of [modelId, ...aliases]) {
        const snapshot = await hub.find(repo, revision);
        if (snapshot?.missing.length === 0) return true;
      }
    }
    return false;
  }

  /** Absolute; empty for a version that is not there. */
  async files(version: string): Promise<readonly string[]> {
    const found = (await this.list()).filter((one) => one.version === version);
    const lists = await Promise.all(
      found.map(async ({ directory }) => {
        const entries = await readdir(directory, { recursive: true, withFileTypes: true });
        return entries
          .filter((entry) => !entry.isDirectory())
          .map((entry) => join(entry.parentPath, entry.name));
      }),
    );
    return lists.flat().toSorted();
  }

  /**
   * @returns whether there was such a version
   * @throws PlatformError `model_already_launched` while it runs, `model_not_ready` while it is being
   *   downloaded, `cache_unusable`
   */
  async remove(version: string): Promise<boolean> {
    const found = (await this.list()).filter((one) => one.version === version);
    for (const { repo, directory } of found) {
      const user = this.#supervisor.list().find((instance) => instance.directory === directory);
      if (user !== undefined) {
        throw new PlatformError(
          "model_already_launched",
          `The files of ${version} are in use by the model "${user.uid}". Terminate it first.`,
        );
      }
      const hub = await this.#openHub();
      await (await hub.planRemoval(repo, { hub: undefined, revision: undefined })).remove();
    }
    return found.length > 0;
  }
}

function describe(
  repo: string,
  known: { readonly family: ModelFamily; readonly spec: ModelSpec } | undefined,
): Omit<CachedFiles, "repo" | "directory"> {
  const parts = {
    modelName: known?.family.modelName ?? repo,
    size: known?.spec.size,
    format: known?.spec.format ?? "pytorch",
    quantization: "none",
  };
  return { ...parts, version: modelVersion(parts) };
}
