/** A model's files in the caches of the hubs' own libraries: looks only, fetches nothing. */
import type { MissingFile, Snapshot } from "../hub/caches/repo-cache.ts";
import type { ModelSource } from "../registry/model-family.ts";

export type LocalCopy = {
  /** `owner/name`, as it was found. */
  readonly repo: string;
  /** Absolute. */
  readonly directory: string;
  /** Of what a checkpoint needs; empty when it can be loaded. */
  readonly missing: readonly MissingFile[];
};

/** What lies on this machine of the places that a model comes from; `undefined` when nothing does. */
export type LocateFiles = (sources: readonly ModelSource[]) => Promise<LocalCopy | undefined>;

/** What is in any cache of an `owner/name`; each hub's own default branch without a revision. */
type FindCached = (repo: string, revision: string | undefined) => Promise<Snapshot | undefined>;

/** Hubs in the model's own order, each under all its names there; a whole copy wins over a partial one. */
export function locateIn(findCached: FindCached): LocateFiles {
  return async (sources) => {
    let partial: LocalCopy | undefined;
    for (const { modelId, aliases, revision } of sources) {
      for (const repo of [modelId, ...aliases]) {
        const snapshot = await findCached(repo, revision);
        if (snapshot === undefined) continue;
        const copy = { repo, directory: snapshot.directory, missing: snapshot.missing };
        if (copy.missing.length === 0) return copy;
        partial ??= copy;
      }
    }
    return partial;
  };
}
