/** The life of one model instance: starting → ready → stopping, or starting → failed. */
import type { PlatformError } from "../base/errors.ts";
import type { ModelUid } from "../base/ids.ts";
import type { Engine, EngineKind, LoadProgress, ModelProfile } from "../engines/engine.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { DefaultSampling } from "./default-sampling.ts";
import type { Replicas } from "./replicas.ts";
import type { ResolvedModel } from "./resolve-model.ts";

export type ModelInstance = {
  readonly uid: ModelUid;
  /** What was launched: `demo`, or the directory's own name. */
  readonly modelName: string;
  /** In billions of parameters, where the registry says it. */
  readonly size: number | undefined;
  /** Where its files are; `undefined` while they are still to come. */
  readonly directory: string | undefined;
  /** Of its files: `pytorch` or `ggufv2`. */
  readonly format: string;
  /** What the weights are, or were made to be; `none` as they were published. */
  readonly quantization: string;
  /** Whose store it was found in, where that is another program's: `ollama:…`. */
  readonly source: string | undefined;
  readonly engineKind: EngineKind;
  /** The engine as its owner wrote it, else as we do. */
  readonly engineName: string;
  /** What the registry knows of it. */
  readonly origin: ResolvedModel["origin"];
  readonly profile: ModelProfile;
  readonly launchedAt: Date;
  /** Those that it answers with, as they are now. */
  readonly replicas: Pick<Replicas, "list" | "telling">;
} & (
  | { readonly state: "starting"; readonly progress: LoadProgress }
  | ({ readonly state: "ready"; readonly loadMs: number } & LoadedModel)
  | { readonly state: "failed"; readonly error: PlatformError }
  | { readonly state: "stopping" }
);

/** What answers: an engine, and what stands in front of it. */
export type LoadedModel = {
  readonly directory: string;
  readonly engine: Engine;
  readonly pipeline: Pipeline;
  readonly defaultSampling: DefaultSampling;
};

export type ReadyInstance = Extract<ModelInstance, { state: "ready" }>;
