/** What may be launched by name: a family of models, its sizes, and where their files come from. */

export type Hub = "huggingface" | "modelscope";

/** Where a hub keeps the files of one size. */
export type ModelSource = {
  readonly hub: Hub;
  readonly modelId: string;
  /** Names the same repository has or had. */
  readonly aliases: readonly string[];
  readonly revision: string | undefined;
};

export type ModelSpec = {
  readonly format: string;
  /** In billions of parameters; a fraction for small models. */
  readonly size: number;
  /** What the files themselves are; engines may make more of them. */
  readonly quantizations: readonly string[];
  readonly sources: readonly ModelSource[];
  /** Absolute, for a registration of files that are on this machine. */
  readonly directory: string | undefined;
  /** The published `config.json`, as far as it differs from its defaults; for estimates before a download. */
  readonly config: unknown;
};

export type Licence = {
  readonly name: string;
  readonly url: string;
  readonly acceptableUseUrl: string;
  /** Whether hubs ask for its acceptance first. */
  readonly gated: boolean;
  readonly euClause: string;
};

export type ModelAbility = "chat" | "generate" | "vision" | "tools";

/** Of a checkpoint that does not say which languages it knows: Meta's list. */
export const defaultLanguages: readonly string[] = ["en", "de", "fr", "it", "pt", "hi", "es", "th"];

export type ModelFamily = {
  readonly modelName: string;
  readonly isBuiltin: boolean;
  readonly description: string;
  /** Tokens of prompt and answer together. */
  readonly contextLength: number;
  /** ISO 639-1. */
  readonly languages: readonly string[];
  readonly abilities: readonly ModelAbility[];
  /** The family that a registration says it comes from. */
  readonly basedOn: string | undefined;
  readonly licence: Licence | undefined;
  readonly specs: readonly ModelSpec[];
};
