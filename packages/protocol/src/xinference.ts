/** Xinference's management API, in its words: what goes in is checked, what comes out has these forms. */
import { z } from "zod";
import { LaunchRequest } from "./models.ts";

export const LaunchByVersionRequest = z.looseObject({
  model_version: z
    .string()
    .max(300)
    .describe("A version as `GET /v1/models/LLM/{name}/versions` has it."),
  model_uid: LaunchRequest.shape.model_uid.describe(
    "The name it will answer to; the model's own when left out.",
  ),
  model_engine: LaunchRequest.shape.model_engine.describe(
    "`native`, `transformers` or `vllm`. `native` when left out.",
  ),
});

const name = z.string().max(300).optional();

export const InstancesQuery = z.object({
  model_name: name.describe("Only launches of this model. All when left out."),
  model_uid: name.describe("Only the launch of this name. All when left out."),
});

export type ModelStatus = "CREATING" | "READY" | "ERROR" | "TERMINATING";

export type ReplicaStatusRecord = {
  /** Number of the replica, from 0. */
  readonly replica_id: number;
  /** Uid of the model with the replica's number. */
  readonly replica_model_uid: string;
  /** What its owner calls it, or `null`. */
  readonly replica_uid: string | null;
  /** Address of its machine. */
  readonly worker_address: string;
  /** Address that it is asked at: the server's. */
  readonly model_address: string;
  /** Graphics cards that it was given, by number. */
  readonly accelerators: readonly string[];
  /** The same as numbers. */
  readonly gpu_idx: readonly number[];
  /** How it is. */
  readonly status: ModelStatus;
  /** When it was launched, in seconds since 1970. */
  readonly created_ts: number;
  /** Why it failed, or `null`. */
  readonly error_message: string | null;
};

export type ModelInstanceRecord = {
  /** Name of the model. */
  readonly model_name: string;
  /** The name that it answers to. */
  readonly model_uid: string;
  /** Such as `llama-3.2-vision--11B--pytorch--none`. */
  readonly model_version: string;
  /** What it can do; empty until the model is ready. */
  readonly model_ability: readonly string[];
  /** How many processes have it. */
  readonly replica: number;
  /** Always 1: a replica is on one machine. */
  readonly n_worker: 1;
  /** How it is. */
  readonly status: ModelStatus;
  /** When it was launched, in seconds since 1970. */
  readonly instance_created_ts: number;
  /** Why it failed, when its status is ERROR. */
  readonly error_message?: string;
  /** How each replica is. */
  readonly replica_statuses: readonly ReplicaStatusRecord[];
};

export type ProgressReply = {
  /** 0 to 1; exactly 1 when the model is ready. */
  readonly progress: number;
  /** What is being done. */
  readonly stage: "pending" | "launching" | "downloading" | "loading";
  /** Files that are downloaded for it. */
  readonly download_files: readonly DownloadFileRecord[];
  /** How far each replica is. */
  readonly replicas: readonly {
    /** Number of the replica, from 0. */
    readonly replica_id: number;
    /** Uid of the model with the replica's number. */
    readonly replica_model_uid: string;
    /** 0 to 1. */
    readonly progress: number;
    /** What is being done. */
    readonly stage: string;
    /** Why it failed; empty when it did not. */
    readonly info: string;
    /** When this was so, in seconds since 1970. */
    readonly updated_at: number;
    /** Files that are downloaded for it. */
    readonly download_files: readonly DownloadFileRecord[];
  }[];
};

export type DownloadFileRecord = {
  /** Path inside the repository. */
  readonly name: string;
  /** Bytes that are here. */
  readonly downloaded_bytes: number;
  /** Its size in bytes. */
  readonly total_bytes: number;
  /** 0 to 1. */
  readonly progress: number;
  /** Of what came since this download began; 0 while it cannot be told. */
  readonly speed_bytes_per_second: number;
  /** Seconds since it began. */
  readonly elapsed_seconds: number;
  /** Seconds that it will still take; `null` while it cannot be told. */
  readonly eta_seconds: number | null;
  /** How it is. */
  readonly status: "waiting" | "downloading" | "verifying" | "completed";
  /** The replica whose download it is; all replicas read what the first one fetches. */
  readonly replica_id: number;
  /** Uid of the model with the replica's number. */
  readonly replica_model_uid: string;
};

const ReplicaConfig = LaunchRequest.shape.replica_config.unwrap().unwrap().element;

export const AddReplicaRequest = z.looseObject({
  replica_config: z
    .union([ReplicaConfig, z.array(ReplicaConfig).max(64)])
    .nullish()
    .describe("The replica's name and where it shall run, or a list of such."),
  replica: z.int().min(1).max(64).nullish().describe("How many more. 1 when left out."),
});

export type AddReplicaReply = {
  /** Number of the last that was added. */
  readonly replica_id: number;
  /** Uid of the model with that number. */
  readonly replica_model_uid: string;
  /** Address of its machine. */
  readonly worker_address: string;
};

export type RemoveReplicaReply = {
  /** How many are left. */
  readonly remaining_replicas: number;
};

export type ModelEventRecord = {
  /** How grave it is. */
  readonly event_type: "INFO" | "WARNING" | "ERROR";
  /** When it was, in seconds since 1970. */
  readonly event_ts: number;
  /** What happened, in a sentence. */
  readonly event_content: string;
};

export const RegistrationRequest = z.looseObject({
  model: z.string().describe("The family's JSON, as text."),
  persist: z
    .boolean()
    .nullish()
    .describe("Whether it is known after a restart too. `false` when left out."),
  worker_ip: z.string().nullish().describe("The one machine that there is, or left out."),
});

export const RegistrationsQuery = z.object({
  detailed: z
    .stringbool()
    .default(false)
    .describe("Whether all is told of each model. `false` when left out."),
});

export type RegistrationRecord = {
  /** Name of the model. */
  readonly model_name: string;
  /** Whether it comes with the program. */
  readonly is_builtin: boolean;
};

/** One form of a model, from one place, in one quantization. */
export type RegistrationSpec = {
  /** Format of the files. */
  readonly model_format: string;
  /** Weights in billions. */
  readonly model_size_in_billions: number;
  /** What its weights are made of; `none`: as they were published. */
  readonly quantization: string;
  /** Which hub has it, or `null`. */
  readonly model_hub: string | null;
  /** Owner and name of its repository there, or `null`. */
  readonly model_id: string | null;
  /** Which commit, or `null`. */
  readonly model_revision: string | null;
  /** Where its files lie, of a model that was registered by path; else `null`. */
  readonly model_uri: string | null;
  /** Always `null`: the tower is part of the model. */
  readonly multimodal_projectors: null;
  /** Whether its files are on this machine, all of them. */
  readonly cache_status: boolean;
};

export type DetailedRegistration = RegistrationRecord & {
  /** Always 2, Xinference's form of a family. */
  readonly version: 2;
  /** What it is, in a sentence. */
  readonly model_description: string;
  /** Tokens of prompt and answer together, at most. */
  readonly context_length: number;
  /** Languages, ISO 639-1. */
  readonly model_lang: readonly string[];
  /** What it can do. */
  readonly model_ability: readonly string[];
  /** Family that it is of. */
  readonly model_family: string;
  /** Architectures of its `config.json`. */
  readonly architectures: readonly string[];
  /** Always `mllama`. */
  readonly model_type: "mllama";
  /** Hubs that have it. */
  readonly download_hubs: readonly string[];
  /** Its forms: from where, how large, of what. */
  readonly model_specs: readonly RegistrationSpec[];
};

export type VersionRecord = {
  /** Such as `llama-3.2-vision--11B--pytorch--none`. */
  readonly model_version: string;
  /** Address of the machine → where the files are; `null` when they are not. */
  readonly model_file_location: Readonly<Record<string, string>> | null;
  /** Whether its files are on this machine, all of them. */
  readonly cache_status: boolean;
  /** What its weights are made of; `none`: as they were published. */
  readonly quantization: string;
  /** Always `null`: the tower is part of the model. */
  readonly multimodal_projector: null;
  /** Format of the files. */
  readonly model_format: string;
  /** Weights in billions. */
  readonly model_size_in_billions: number;
};

export const CacheQuery = z.object({
  model_name: name.describe("Only this model. All when left out."),
  worker_ip: name.describe("The one machine that there is, or left out."),
});
export const CacheFilesQuery = z.object({
  model_version: z.string().max(300).describe("Such as `llama-3.2-vision--11B--pytorch--none`."),
  worker_ip: name.describe("The one machine that there is, or left out."),
});

/** In the order in which Xinference's command line prints them. */
export type CachedModelRecord = {
  /** Name of the model. */
  readonly model_name: string;
  /** Weights in billions, or `null`. */
  readonly model_size_in_billions: number | null;
  /** Format of the files. */
  readonly model_format: string;
  /** What its weights are made of. */
  readonly quantization: string;
  /** Such as `llama-3.2-vision--11B--pytorch--none`. */
  readonly model_version: string;
  /** Where it is in the hub's cache. */
  readonly path: string;
  /** The same without links. */
  readonly real_path: string;
  /** The machine it is on. */
  readonly actor_ip_address: string;
};

export const ClusterInfoQuery = z.object({
  detailed: z
    .stringbool()
    .default(false)
    .describe("Whether processor, memory and graphics cards are told too. `false` when left out."),
});

export type ClusterNode = {
  /** What the machine is; one is both here. */
  readonly node_type: "Supervisor" | "Worker";
  /** Its address. */
  readonly ip_address: string;
  /** How many graphics cards it has. */
  readonly gpu_count: number;
  /** Their memory, in bytes, or as text. */
  readonly gpu_vram_total: number | string;
  /** What of it is free, in bytes. */
  readonly gpu_vram_available?: number;
  /** How busy they are, 0 to 100, or `null`. */
  readonly gpu_utilization?: number | null;
  /** How many processors are idle. */
  readonly cpu_available?: number;
  /** How many processors it has. */
  readonly cpu_count?: number;
  /** Memory in use, in bytes. */
  readonly mem_used?: number;
  /** Memory that is free, in bytes. */
  readonly mem_available?: number;
  /** Its memory, in bytes. */
  readonly mem_total?: number;
};

export const AbortRequestBody = z.looseObject({
  block_duration: z
    .number()
    .min(0)
    .nullish()
    .describe("Seconds that the id is refused afterwards; nothing depends on it here."),
});
export type AbortRequestReply = {
  /** Whether there was such a request. */
  readonly msg: "DONE" | "NOT_FOUND";
};

const autostartLaunch = {
  model_uid: z.string().max(300).nullish().describe("The name it will answer to."),
  model_name: z.string().max(300).nullish().describe("Name of the model."),
} as const;

/** What is launched stands in `launch`, or flat beside the rest. */
export const AutostartRequest = z.looseObject({
  enabled: z
    .boolean()
    .nullish()
    .describe("Whether it starts with the server. `true` when left out."),
  priority: z
    .int()
    .min(-1_000_000)
    .max(1_000_000)
    .nullish()
    .describe("Smaller starts sooner. 100 when left out."),
  max_retries: z
    .int()
    .min(0)
    .max(100)
    .nullish()
    .describe("How often a failed launch is tried again. A few times when left out."),
  retry_interval_seconds: z
    .number()
    .min(0)
    .max(86_400)
    .nullish()
    .describe("Seconds between. Growing pauses when left out."),
  launch: z
    .looseObject(autostartLaunch)
    .nullish()
    .describe("What is launched, as `POST /v1/models` takes it; or flat beside the rest."),
  ...autostartLaunch,
});

export type AutostartRecord = {
  /** Whether it starts with the server. */
  readonly enabled: boolean;
  /** The name it will answer to. */
  readonly model_uid: string;
  /** Smaller starts sooner. */
  readonly priority: number;
  /** How often a failed launch is tried again; `null`: a few times. */
  readonly max_retries: number | null;
  /** Seconds between; `null`: growing pauses. */
  readonly retry_interval_seconds: number | null;
  /** As it was sent, without what is secret in it. */
  readonly launch: Readonly<Record<string, unknown>>;
  /** How it went. */
  readonly state: {
    /** Since this server started; 0 when it did not start the model. */
    readonly attempts: number;
    /** How the model is. */
    readonly instance_status: ModelStatus | "TERMINATED";
    /** Why it last failed, or `null`. */
    readonly last_error: string | null;
  };
};

export type AutostartReply = {
  /** What starts with the server. */
  readonly models: readonly AutostartRecord[];
};
export type AutostartSummary = {
  /** What starts with the server. */
  readonly models: readonly {
    /** Whether it starts with the server. */
    readonly enabled: boolean;
    /** The name it will answer to. */
    readonly model_uid: string;
  }[];
};

export const PastLaunchRequest = z.looseObject({
  model_name: z.string().min(1).max(300).describe("Name of the model."),
  model_uid: z.string().max(300).nullish().describe("The name it answered to. None when left out."),
  data: z.unknown().describe("With what it was launched, its client's own."),
});

export type PastLaunchRecord = {
  /** Name of the model. */
  readonly model_name: string;
  /** The name it answered to, or `null`. */
  readonly model_uid: string | null;
  /** With what it was launched, as it was sent. */
  readonly data: unknown;
  /** When that was, ISO 8601. */
  readonly updated_at: string;
};

export const UnbanRequest = z.looseObject({
  ip: z.string().min(1).max(100).describe("The address."),
});

export type BannedAddressesReply = {
  /** The addresses that wait. */
  readonly banned_ips: readonly {
    /** The address; of IPv6 the network. */
    readonly ip: string;
    /** Seconds that it still waits. */
    readonly remaining_seconds: number;
  }[];
};

export const AuditQuery = z.object({
  user: name.describe("Only what this key or account did. All when left out."),
  model: name.describe("Only what is about this model. All when left out."),
  category: z
    .enum(["model", "key", "account", "login"])
    .optional()
    .describe("Only records of this kind. All when left out."),
  start_time: z.iso
    .datetime({ offset: true })
    .optional()
    .describe("Only later ones, ISO 8601 with an offset."),
  end_time: z.iso
    .datetime({ offset: true })
    .optional()
    .describe("Only earlier ones, ISO 8601 with an offset."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .describe("How many at most. 100 when left out."),
  before: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe("The id of a record: only older ones. From the latest when left out."),
});

export type AuditRecord = {
  /** Number of the record. */
  readonly id: number;
  /** When it was, ISO 8601. */
  readonly timestamp: string;
  /** What it is about. */
  readonly category: "model" | "key" | "account" | "login";
  /** What happened, such as `model-loaded`. */
  readonly event: string;
  /** A model's uid, a key's id, an account's name, or `null`. */
  readonly subject: string | null;
  /** Whose request it was, or `null`. */
  readonly user: string | null;
  /** More of it. */
  readonly details: Readonly<Record<string, unknown>>;
};

export type AuditReply = {
  /** The records, the latest first. */
  readonly records: readonly AuditRecord[];
  /** For `before`, to get more; `null` when these were the last. */
  readonly next_before: number | null;
};
