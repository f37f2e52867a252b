/** Files that a launch lacks, from the hubs: with a sum of what comes, beside the events of the download itself. */
import type { RepoOnHubs } from "../hub/hub.ts";
import type { PullEvent } from "../hub/pull.ts";
import { type HubName, hubNames } from "../hub/settings.ts";
import type { ModelSource } from "../registry/model-family.ts";
import type { FileDownloads } from "./file-downloads.ts";
import type { LaunchEvent } from "./launch-log.ts";
import type { ResolvedModel } from "./resolve-model.ts";

export { hubNames };

/**
 * Download what is missing of a model.
 *
 * @returns the directory it is in
 * @throws PlatformError as `Hub.pull`
 */
export type FetchFiles = (
  wanted: { readonly repo: RepoOnHubs; readonly hub: HubName | undefined },
  hooks: { readonly signal: AbortSignal; readonly onEvent: (event: PullEvent) => void },
) => Promise<string>;

/**
 * @returns the directory they are in
 * @throws PlatformError as `Hub.pull`
 */
export async function bringFiles(
  { sources }: Pick<ResolvedModel, "sources">,
  {
    fetchFiles,
    downloads,
    signal,
    onEvent,
  }: {
    readonly fetchFiles: FetchFiles;
    /** Told how far the files are. */
    readonly downloads: FileDownloads;
    readonly signal: AbortSignal;
    readonly onEvent: (event: LaunchEvent) => void;
  },
): Promise<string> {
  return await fetchFiles(toWanted(sources), {
    signal,
    onEvent: (event) => {
      onEvent({ type: "download", event });
      if (downloads.add(event))
        onEvent({ type: "stage", stage: "downloading", ...downloads.sum() });
    },
  });
}

/** What to ask hubs for, where a model's sources are on several or on one. */
export function toWanted(sources: readonly ModelSource[]): {
  readonly repo: RepoOnHubs;
  readonly hub: HubName | undefined;
} {
  const [only, ...others] = sources;
  return { repo: toRepoOnHubs(sources), hub: others.length === 0 ? only?.hub : undefined };
}

export function toRepoOnHubs(sources: readonly ModelSource[]): RepoOnHubs {
  return Object.fromEntries(
    sources.map(({ hub, modelId, aliases, revision }) => [
      hub,
      { repo: modelId, aliases, revision },
    ]),
  );
}
