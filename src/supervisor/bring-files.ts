/** Files that a launch lacks, from the hubs: with a sum of what comes, beside the events of the download itself. */
import type { RepoOnHubs } from "../hub/hub.ts";
import type { PullEvent } from "../hub/pull.ts";
import { type HubName, hubNames } from "../hub/settings.ts";
import type { ModelSource } from "../registry/model-family.ts";
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
    signal,
    onEvent,
  }: {
    readonly fetchFiles: FetchFiles;
    readonly signal: AbortSignal;
    readonly onEvent: (event: LaunchEvent) => void;
  },
): Promise<string> {
  const sum = new DownloadSum();
  return await fetchFiles(toWanted(sources), {
    signal,
    onEvent: (event) => {
      onEvent({ type: "download", event });
      const fraction = sum.add(event);
      if (fraction !== undefined) onEvent({ type: "stage", ...fraction });
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

/** How far a download is, all files together. */
class DownloadSum {
  readonly #sizes = new Map<string, number>();
  readonly #done = new Map<string, number>();
  #doneBytes = 0;
  #totalBytes = 0;

  /** @returns `undefined` when it says nothing of that */
  add(
    event: PullEvent,
  ):
    | { readonly stage: "downloading"; readonly fraction: number; readonly totalBytes: number }
    | undefined {
    if (event.type === "plan") {
      for (const { path, sizeBytes, hereBytes } of event.files) {
        this.#sizes.set(path, sizeBytes);
        this.#totalBytes += sizeBytes;
        this.#set(path, hereBytes);
      }
    } else if (event.type === "file-progress") this.#set(event.path, event.doneBytes);
    else if (event.type === "file-ready") this.#set(event.path, this.#sizes.get(event.path) ?? 0);
    else return undefined;
    const totalBytes = this.#totalBytes;
    return {
      stage: "downloading",
      fraction: totalBytes === 0 ? 1 : this.#doneBytes / totalBytes,
      totalBytes,
    };
  }

  #set(path: string, doneBytes: number): void {
    this.#doneBytes += doneBytes - (this.#done.get(path) ?? 0);
    this.#done.set(path, doneBytes);
  }
}
