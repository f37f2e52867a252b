/** What is asked to be launched, and what that is found to be. */
import type { HubName } from "../hub/settings.ts";
import type { ModelFamily, ModelSource, ModelSpec } from "../registry/model-family.ts";
import type { LocalCopy } from "./locate-files.ts";

export type ModelWish = {
  /**
   * `demo`, the absolute path of a checkpoint directory or a GGUF file, a name in the registry, as
   * `name:size` too, a hub's `owner/name`, or `ollama:` and a name of Ollama's.
   */
  readonly model: string;
  /** A family that the directory is of, when both were named. */
  readonly familyName?: string | undefined;
  readonly size?: number | string | undefined;
  readonly format?: string | undefined;
  /** Only from this hub. */
  readonly hub?: HubName | undefined;
  /** Branch, tag or commit in place of the one that the registry names. */
  readonly revision?: string | undefined;
};

export type ResolvedModel = {
  readonly modelName: string;
  readonly format: string;
  /** In billions of parameters; `undefined` for a directory that nobody registered. */
  readonly size: number | undefined;
  /** What the files themselves are. */
  readonly quantizations: readonly string[];
  /** Absolute; `undefined` when the files are not on this machine, or not all of them. */
  readonly directory: string | undefined;
  /** Those of the files that are, when some are missing. */
  readonly partialCopy: LocalCopy | undefined;
  /** Where the registry says it comes from. */
  readonly origin: { readonly family: ModelFamily; readonly spec: ModelSpec } | undefined;
  /** Where files that are not here can be fetched from; empty for what only lies on a disk. */
  readonly sources: readonly ModelSource[];
  /** Whose store it was found in, where that is another program's: `ollama:…`. */
  readonly source?: string | undefined;
};
