/** Launch, list and terminate: `POST`, `GET` and `DELETE` on `/v1/models`, in Xinference's words. */
import { z } from "zod";
import { requestLimits } from "./limits.ts";

/** Body of `POST /v1/models`. Xinference's clients send `null` for what is not set. */
export const LaunchRequest = z.looseObject({
  model_name: z
    .string()
    .min(1)
    .nullish()
    .describe(
      "`demo`, or a model of the registry, as `llama-3.2-vision:11b` too; beside a path, the family it is of.",
    ),
  model_path: z
    .string()
    .min(1)
    .nullish()
    .describe("A checkpoint directory in Hugging Face layout, absolute, on the server's machine."),
  model_size_in_billions: z
    .union([z.number().positive(), z.string()])
    .nullish()
    .describe(
      'A number, or a fraction spelt with an underscore: "1_8" is 1.8. The first that there is when left out.',
    ),
  model_format: z
    .string()
    .nullish()
    .describe(
      "`pytorch` or another format of the registry. The first that there is when left out.",
    ),
  quantization: z
    .string()
    .nullish()
    .describe(
      "`none`, or such as `q4_k_m`: what the weights are made of. As they are when left out.",
    ),
  model_uid: z
    .string()
    .min(1)
    .max(requestLimits.maxModelUidLength)
    .regex(/^[^/?#\s\p{Cc}]+$/u)
    .nullish()
    .describe(
      "The name it will answer to, without `/`, `?`, `#` and spaces; the model's own when left out.",
    ),
  model_engine: z
    .string()
    .max(100)
    .nullish()
    .describe(
      "`native`, `transformers` or `vllm`, in any case. It is told back as it was written. `native` when left out.",
    ),
  replica: z
    .union([z.int(), z.string()])
    .nullish()
    .describe("Processes that have the model each; as text too. 1 when left out."),
  request_limits: z
    .int()
    .nullish()
    .describe(
      "Answers at the same time, of each replica. As many as the engine takes when left out.",
    ),
  replica_config: z
    .array(
      z.looseObject({
        replica_uid: z
          .string()
          .min(1)
          .max(requestLimits.maxModelUidLength)
          .nullish()
          .describe("What its owner calls it. `uid-repN` when left out."),
        devices: z
          .array(
            z.looseObject({
              worker_ip: z.string().nullish().describe("The machine: this one."),
              n_gpu: z
                .union([z.int(), z.string()])
                .nullish()
                .describe("How many graphics cards, or `auto`."),
              gpu_idx: z
                .union([z.int(), z.array(z.int())])
                .nullish()
                .describe("Which graphics cards, by number."),
            }),
          )
          .nullish()
          .describe("Where it shall run."),
      }),
    )
    .nullish()
    .describe("One object a replica, with its name."),
  worker_ip: z.string().nullish().describe("The one machine that there is, or left out."),
  n_gpu: z
    .union([z.int(), z.string()])
    .nullish()
    .describe("How many graphics cards, or `auto`, as when it is left out."),
  gpu_idx: z
    .union([z.int(), z.array(z.int())])
    .nullish()
    .describe("Which graphics cards, by number. Those that suit when left out."),
  profile: z
    .enum(["ref", "hf"])
    .nullish()
    .describe(
      "Meta's semantics (`ref`, also when left out) or those of Transformers as installed (`hf`).",
    ),
  max_model_len: z
    .int()
    .min(1)
    .nullish()
    .describe(
      "Tokens of prompt and answer together, at most. What a quarter of the free memory holds when left out.",
    ),
  max_num_seqs: z
    .int()
    .min(1)
    .nullish()
    .describe("Answers at the same time, at most. 16 when left out."),
  kv_cache_dtype: z
    .enum(["auto", "f32", "f16", "q8_0"])
    .nullish()
    .describe(
      "What keys and values are kept in. `f32` if the weights are, else `f16`, when left out or `auto`; `q8_0` takes half of `f16`.",
    ),
  num_threads: z
    .int()
    .min(1)
    .max(1_024)
    .nullish()
    .describe("Threads of the processor. As many as suit when left out."),
  max_num_batched_tokens: z
    .int()
    .min(1)
    .nullish()
    .describe(
      "Tokens of one forward pass, prompts' pieces and answers' next tokens together. 512 when left out.",
    ),
  picture_cache_memory: z
    .union([z.string(), z.int().min(0)])
    .nullish()
    .describe(
      "What pictures' states may take of the engine's memory, in bytes or such as \"2GiB\".",
    ),
  picture_cache_disk: z
    .union([z.string(), z.int().min(0)])
    .nullish()
    .describe(
      'What encoded pictures may take of the disk, of all models together, in bytes or such as "2GiB"; "0" keeps none.',
    ),
  download: z
    .boolean()
    .nullish()
    .describe(
      "Whether files that are not on the server's machine are fetched from a hub. `true` when left out.",
    ),
  download_hub: z
    .string()
    .nullish()
    .describe("`huggingface` or `modelscope`; the first that can be reached when left out."),
  revision: z
    .string()
    .nullish()
    .describe("Branch, tag or commit on the hub. The registry's own when left out."),
});
export type LaunchRequest = z.infer<typeof LaunchRequest>;

export type LaunchReply = {
  /** The name that the model answers to. */
  readonly model_uid: string;
};

export type ModelState = "starting" | "ready" | "failed" | "stopping";

/** One row of `GET /v1/models`; alone, the answer of `GET /v1/models/{uid}`. */
export type ModelRecord = {
  /** The name that the model answers to. */
  readonly id: string;
  /** Always `model`. */
  readonly object: "model";
  /** When it was launched, in seconds since 1970. */
  readonly created: number;
  /** Always `atalaya`. */
  readonly owned_by: "atalaya";
  /** Always `LLM`. */
  readonly model_type: "LLM";
  /** Name of its family, or of its directory. */
  readonly model_name: string;
  /** Which engine runs it, as it was asked for. */
  readonly model_engine: string;
  /** Format of its files. */
  readonly model_format: string;
  /** What its weights are made of; `none`: as they were published. */
  readonly quantization: string;
  /** Weights in billions; `null` when that is not known. */
  readonly model_size_in_billions: number | null;
  /** Whose store it was found in, where that is another program's: `ollama:…`. */
  readonly model_source?: string;
  /** What it can do. */
  readonly model_ability: readonly ("chat" | "generate" | "vision" | "tools")[];
  /** Languages, ISO 639-1. */
  readonly model_lang: readonly string[];
  /** What it is, in a sentence. */
  readonly model_description: string;
  /** Family that it is of. */
  readonly model_family: string;
  /** Where its files come from, or `null`. */
  readonly model_hub: string | null;
  /** Which commit of them, or `null`. */
  readonly revision: string | null;
  /** Address of the server: replicas have none of their own. */
  readonly address: string;
  /** Graphics cards that it was given, by number. */
  readonly accelerators: readonly string[];
  /** What lies on which device, when a part of it lies on cards; of its first replica. */
  readonly placement?: readonly PlacedPartRecord[];
  /** Always `null`: the tower is part of the model. */
  readonly multimodal_projector: null;
  /** Always `false`: further system messages may come anywhere in a conversation. */
  readonly strict_system_first: false;
  /** Tokens of prompt and answer together; `null` until the model is ready. */
  readonly context_length: number | null;
  /** How many processes have it. */
  readonly replica: number;
  /** Whose semantics it runs with: Meta's (`ref`) or those of Transformers (`hf`). */
  readonly profile: "ref" | "hf";
  /** How it is. */
  readonly state: ModelState;
  /** How far its launch is, while it starts. */
  readonly progress?: {
    /** What is being done. */
    readonly stage: string;
    /** Of the stage, 0 to 1; `null` when it cannot be told. */
    readonly fraction: number | null;
  };
  /** What went wrong: when failed, or ready but unable to answer. */
  readonly error?: {
    /** Stable; see the table of errors. */
    readonly code: string;
    /** For a person: what happened, and what to do. */
    readonly message: string;
  };
};

export type PlacedPartRecord = {
  /** As `atalaya devices` has it. */
  readonly device: string;
  /** As its driver calls it; empty for the processor. */
  readonly name: string;
  /** Of the text model. */
  readonly num_layers: number;
  /** Whether the output head lies there. */
  readonly has_head: boolean;
  /** Whether the vision tower lies there. */
  readonly has_tower: boolean;
  /** Weights, caches and buffers as planned; 0 for the processor. */
  readonly bytes: number;
};

export type ModelList = {
  /** Always `list`. */
  readonly object: "list";
  /** The models. */
  readonly data: readonly ModelRecord[];
};

/**
 * Of `GET /v1/engines/{name}`: for each engine what it runs here, or a text that says why it runs
 * nothing and what would help.
 */
export type EnginesReply = Readonly<Record<string, readonly EngineOffer[] | string>>;

export type EngineOffer = {
  /** Name of the model. */
  readonly model_name: string;
  /** Format of the files. */
  readonly model_format: string;
  /** Weights in billions. */
  readonly model_size_in_billions: number;
  /** What its weights can be made of. */
  readonly quantizations: readonly string[];
  /** Always `false`. */
  readonly support_draft_model: false;
};

/** `GET /v1/models` lists the models that can answer; `?state=all` lists every one. So does the route of one. */
export const ListModelsQuery = z.object({
  state: z
    .enum(["ready", "all"])
    .default("ready")
    .describe("`ready`: models that can answer; `all`: every one. `ready` when left out."),
});

/** With `wait_ready=false`, `POST /v1/models` answers at once, and the record tells how it goes on. */
export const LaunchQuery = z.object({
  wait_ready: z
    .stringbool()
    .default(true)
    .describe(
      "Whether the answer waits until the model is ready; otherwise it comes at once, and the record tells how it goes on. `true` when left out.",
    ),
});
