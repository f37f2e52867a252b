/** Launch, list and terminate: `POST`, `GET` and `DELETE` on `/v1/models`, in Xinference's words. */
import { z } from "zod";
import { requestLimits } from "./limits.ts";

/** Body of `POST /v1/models`. Xinference's clients send `null` for what is not set. */
export const LaunchRequest = z.looseObject({
  /** `demo`, or a model of the registry, as `llama-3.2-vision:11b` too; beside a path, the family it is of. */
  model_name: z.string().min(1).nullish(),
  /** A checkpoint directory in Hugging Face layout, absolute, on the server's machine. */
  model_path: z.string().min(1).nullish(),
  /** A number, or a fraction spelt with an underscore: "1_8" is 1.8. */
  model_size_in_billions: z.union([z.number().positive(), z.string()]).nullish(),
  model_format: z.string().nullish(),
  quantization: z.string().nullish(),
  /** The name it will answer to; the directory's own when absent. */
  model_uid: z
    .string()
    .min(1)
    .max(requestLimits.maxModelUidLength)
    .regex(/^[^/?#\s\p{Cc}]+$/u)
    .nullish(),
  /** In any case: clients write "vLLM" as well as "vllm". It is told back as it was written. */
  model_engine: z.string().max(100).nullish(),
  /** Processes that have the model each; as text too. */
  replica: z.union([z.int(), z.string()]).nullish(),
  /** Answers at the same time, of each replica. */
  request_limits: z.int().nullish(),
  /** One object a replica, with its name. */
  replica_config: z
    .array(
      z.looseObject({
        replica_uid: z.string().min(1).max(requestLimits.maxModelUidLength).nullish(),
        devices: z
          .array(
            z.looseObject({
              worker_ip: z.string().nullish(),
              n_gpu: z.union([z.int(), z.string()]).nullish(),
              gpu_idx: z.union([z.int(), z.array(z.int())]).nullish(),
            }),
          )
          .nullish(),
      }),
    )
    .nullish(),
  /** The one machine that there is. */
  worker_ip: z.string().nullish(),
  n_gpu: z.union([z.int(), z.string()]).nullish(),
  gpu_idx: z.union([z.int(), z.array(z.int())]).nullish(),
  /** Meta's semantics (`ref`, the default) or those of Transformers as installed (`hf`). */
  profile: z.enum(["ref", "hf"]).nullish(),
  /** Tokens of prompt and answer together, at most. */
  max_model_len: z.int().min(1).nullish(),
  max_num_seqs: z.int().min(1).nullish(),
  kv_cache_dtype: z.enum(["f32", "f16"]).nullish(),
  num_threads: z.int().min(1).max(1_024).nullish(),
  /** Tokens of one forward pass: prompts' pieces and answers' next tokens together. */
  max_num_batched_tokens: z.int().min(1).nullish(),
  /** What pictures' states may take of the engine's memory, such as "2GiB". */
  picture_cache_memory: z.union([z.string(), z.int().min(0)]).nullish(),
  /** What encoded pictures may take of the disk, of all models together; "0" keeps none. */
  picture_cache_disk: z.union([z.string(), z.int().min(0)]).nullish(),
  /** Whether files that are not on the server's machine are fetched from a hub; yes when absent. */
  download: z.boolean().nullish(),
  /** `huggingface` or `modelscope`; the first that can be reached when absent. */
  download_hub: z.string().nullish(),
  /** Branch, tag or commit on the hub. */
  revision: z.string().nullish(),
});
export type LaunchRequest = z.infer<typeof LaunchRequest>;

export type LaunchReply = { readonly model_uid: string };

export type ModelState = "starting" | "ready" | "failed" | "stopping";

/** One row of `GET /v1/models`; alone, the answer of `GET /v1/models/{uid}`. */
export type ModelRecord = {
  readonly id: string;
  readonly object: "model";
  /** Seconds since 1970. */
  readonly created: number;
  readonly owned_by: "atalaya";
  readonly model_type: "LLM";
  readonly model_name: string;
  readonly model_engine: string;
  readonly model_format: string;
  readonly quantization: string;
  readonly model_size_in_billions: number | null;
  /** Whose store it was found in, where that is another program's: `ollama:…`. */
  readonly model_source?: string;
  readonly model_ability: readonly ("chat" | "generate" | "vision" | "tools")[];
  /** ISO 639-1. */
  readonly model_lang: readonly string[];
  readonly model_description: string;
  readonly model_family: string;
  readonly model_hub: string | null;
  readonly revision: string | null;
  /** Of the server: replicas have none of their own. */
  readonly address: string;
  /** Graphics cards that it was given, by number. */
  readonly accelerators: readonly string[];
  /** What lies on which device, when a part of it lies on cards; of its first replica. */
  readonly placement?: readonly PlacedPartRecord[];
  readonly multimodal_projector: null;
  /** Further system messages may come anywhere in a conversation. */
  readonly strict_system_first: false;
  /** Tokens of prompt and answer together; `null` until the model is ready. */
  readonly context_length: number | null;
  readonly replica: number;
  readonly profile: "ref" | "hf";
  readonly state: ModelState;
  /** While starting. */
  readonly progress?: { readonly stage: string; readonly fraction: number | null };
  /** When failed, or ready but unable to answer. */
  readonly error?: { readonly code: string; readonly message: string };
};

export type PlacedPartRecord = {
  /** As `atalaya devices` has it. */
  readonly device: string;
  /** As its driver calls it; empty for the processor. */
  readonly name: string;
  /** Of the text model. */
  readonly num_layers: number;
  readonly has_head: boolean;
  readonly has_tower: boolean;
  /** Weights, caches and buffers as planned; 0 for the processor. */
  readonly bytes: number;
};

export type ModelList = { readonly object: "list"; readonly data: readonly ModelRecord[] };

/**
 * Of `GET /v1/engines/{name}`: for each engine what it runs here, or a text that says why it runs
 * nothing and what would help.
 */
export type EnginesReply = Readonly<Record<string, readonly EngineOffer[] | string>>;

export type EngineOffer = {
  readonly model_name: string;
  readonly model_format: string;
  readonly model_size_in_billions: number;
  readonly quantizations: readonly string[];
  readonly support_draft_model: false;
};

/** `GET /v1/models` lists the models that can answer; `?state=all` lists every one. So does the route of one. */
export const ListModelsQuery = z.object({ state: z.enum(["ready", "all"]).default("ready") });

/** With `wait_ready=false`, `POST /v1/models` answers at once, and the record tells how it goes on. */
export const LaunchQuery = z.object({ wait_ready: z.stringbool().default(true) });
