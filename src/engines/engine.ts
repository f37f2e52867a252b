/** The contract every engine keeps; `packages/protocol/engine.proto` is the same, between processes. */
import type { PlatformError } from "../base/errors.ts";
import type { TokenId } from "../base/ids.ts";
import type { EngineEvent, EnginePrompt, EngineSampling } from "../generation/engine-prompt.ts";
import type { StateDtype } from "./memory.ts";

export type EngineKind = "native" | "vllm" | "transformers";

/** Why an engine cannot run here, and what would help. Both are whole sentences. */
export type Obstacle = {
  readonly reason: string;
  readonly remedy: string;
  /** A launch that names the engine does what is missing, such as making its environment. */
  readonly isRemovedByLaunch?: true;
};

/** Which of the reference's behaviours: Meta's (`ref`) or Transformers as installed (`hf`). */
export type ModelProfile = "ref" | "hf";

/** What the front needs to know about a loaded model. */
export type EngineModelInfo = {
  /** Tokens of prompt and answer together, at most. */
  readonly contextLength: number;
  /** Rows of the output head: generated ids are below it. */
  readonly vocabSize: number;
  /** Rows of the embedding: prompt ids are below it. */
  readonly numEmbeddings: number;
  readonly imageTokenId: TokenId;
  readonly bosTokenId: TokenId;
  /** From generation_config.json, else config.json. */
  readonly stopTokenIds: readonly TokenId[];
  /** Vision tokens of one tile: patches and the class token. */
  readonly visionTokensPerTile: number;
  /** What lies on which device; absent where all of it is the processor's, or the engine does not say. */
  readonly placement?: readonly PlacedPart[] | undefined;
};

/** What of a model lies on a device. */
export type PlacedPart = {
  /** `cpu`, `vulkan0`, `cuda1`, … */
  readonly device: string;
  /** As its driver calls it; empty for the processor. */
  readonly name: string;
  /** Of the text model. */
  readonly numLayers: number;
  readonly hasHead: boolean;
  readonly hasTower: boolean;
  /** Weights, caches and buffers as planned; 0 for the processor, whose memory is planned elsewhere. */
  readonly bytes: number;
};

export type EngineLoadOptions = {
  /** A checkpoint directory in Hugging Face layout, absolute. */
  readonly directory: string;
  readonly profile: ModelProfile;
  /** Cap on prompt and answer together; the model's own limit when absent. */
  readonly maxModelLen: number | undefined;
  readonly maxNumSeqs: number | undefined;
  readonly kvCacheDtype: StateDtype | undefined;
  readonly numThreads: number | undefined;
  /** What is made of the weights; `none`, or absent, leaves them as they are. */
  readonly quantization?: string;
  /** Where what is derived from models is kept, absolute; nothing is derived when absent. */
  readonly cacheDirectory?: string | undefined;
  /** Options that only this engine knows, by the names they have on the wire. */
  readonly engineOptions?: EngineOptions;
};

/** JSON values by name. */
export type EngineOptions = Readonly<Record<string, unknown>>;

export type LoadProgress = {
  readonly stage: string;
  readonly fraction: number | undefined;
  /** What the fraction is of, where it is bytes. */
  readonly totalBytes?: number | undefined;
};

export type EngineStats = {
  readonly numRunning: number;
  readonly numWaiting: number;
  readonly kvBlocksUsed: number;
  readonly kvBlocksTotal: number;
  readonly cachedPictures: number;
  readonly residentBytes: number;
  /** By kind, where the engine knows it. */
  readonly weightBytes?: number | undefined;
  readonly kvCacheBytes?: number | undefined;
  readonly pictureBytes?: number | undefined;
  /** Since the model was loaded: tokens of prompts, and those of them that were in the KV cache. */
  readonly promptTokens?: number | undefined;
  readonly reusedTokens?: number | undefined;
};

/** A loaded model that can answer. Disposing it frees the model and ends its processes. */
export interface Engine extends AsyncDisposable {
  readonly kind: EngineKind;
  readonly model: EngineModelInfo;
  /**
   * Leaving the loop early, or aborting `signal`, stops the work and frees its memory.
   *
   * @throws PlatformError `context_length_exceeded`, `invalid_request`, `queue_full`, `worker_failed`
   */
  generate(
    prompt: EnginePrompt,
    options: { readonly sampling: EngineSampling; readonly signal: AbortSignal },
  ): AsyncIterable<EngineEvent>;
  stats(): Promise<EngineStats>;
  /** Why the engine cannot take requests, or `undefined` when it can. */
  problem(): PlatformError | undefined;
}

export type WorkerEnd = {
  readonly exitCode: number | null;
  readonly exitSignal: string | null;
  readonly lastLines: readonly string[];
};

/** Starts an engine; one entry of `catalog.ts`. */
export type EngineLoader = (
  options: EngineLoadOptions,
  hooks: {
    readonly signal: AbortSignal;
    readonly onProgress: (progress: LoadProgress) => void;
    /** One line of the worker's log. */
    readonly onLog: (line: string) => void;
    /**
     * A worker ended that nobody stopped: how, and the last lines of its log. For our log alone; they
     * may name paths.
     */
    readonly onUnexpectedEnd?: (end: WorkerEnd) => void;
  },
) => Promise<Engine>;
