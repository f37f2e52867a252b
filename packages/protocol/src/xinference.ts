/** Xinference's management API, in its words: what goes in is checked, what comes out has these forms. */
import { z } from "zod";
import { LaunchRequest } from "./models.ts";

export const LaunchByVersionRequest = z.looseObject({
  model_version: z.string().max(300),
  model_uid: LaunchRequest.shape.model_uid,
  model_engine: LaunchRequest.shape.model_engine,
});

const name = z.string().max(300).optional();

export const InstancesQuery = z.object({ model_name: name, model_uid: name });

export type ModelStatus = "CREATING" | "READY" | "ERROR" | "TERMINATING";

export type ReplicaStatusRecord = {
  readonly replica_id: number;
  readonly replica_model_uid: string;
  /** What its owner calls it. */
  readonly replica_uid: string | null;
  readonly worker_address: string;
  readonly model_address: string;
  readonly accelerators: readonly string[];
  readonly gpu_idx: readonly number[];
  readonly status: ModelStatus;
  /** Seconds since 1970. */
  readonly created_ts: number;
  readonly error_message: string | null;
};

export type ModelInstanceRecord = {
  readonly model_name: string;
  readonly model_uid: string;
  /** Such as `llama-3.2-vision--11B--pytorch--none`. */
  readonly model_version: string;
  /** Empty until the model is ready. */
  readonly model_ability: readonly string[];
  readonly replica: number;
  readonly n_worker: 1;
  readonly status: ModelStatus;
  readonly instance_created_ts: number;
  /** When its status is ERROR. */
  readonly error_message?: string;
  readonly replica_statuses: readonly ReplicaStatusRecord[];
};

export type ProgressReply = {
  /** 0 to 1; exactly 1 when the model is ready. */
  readonly progress: number;
  readonly stage: "pending" | "launching" | "downloading" | "loading";
  readonly download_files: readonly DownloadFileRecord[];
  readonly replicas: readonly {
    readonly replica_id: number;
    readonly replica_model_uid: string;
    readonly progress: number;
    readonly stage: string;
    readonly info: string;
    readonly updated_at: number;
    readonly download_files: readonly DownloadFileRecord[];
  }[];
};

export type DownloadFileRecord = {
  readonly name: string;
  readonly downloaded_bytes: number;
  readonly total_bytes: number;
  /** 0 to 1. */
  readonly progress: number;
  /** Of what came since this download began; 0 while it cannot be told. */
  readonly speed_bytes_per_second: number;
  readonly elapsed_seconds: number;
  /** `null` while it cannot be told. */
  readonly eta_seconds: number | null;
  readonly status: "waiting" | "downloading" | "verifying" | "completed";
  /** The replica whose download it is; all replicas read what the first one fetches. */
  readonly replica_id: number;
  readonly replica_model_uid: string;
};

const ReplicaConfig = LaunchRequest.shape.replica_config.unwrap().unwrap().element;

export const AddReplicaRequest = z.looseObject({
  replica_config: z.union([ReplicaConfig, z.array(ReplicaConfig).max(64)]).nullish(),
  replica: z.int().min(1).max(64).nullish(),
});

export type AddReplicaReply = {
  /** Of the last that was added. */
  readonly replica_id: number;
  readonly replica_model_uid: string;
  readonly worker_address: string;
};

export type RemoveReplicaReply = { readonly remaining_replicas: number };

export type ModelEventRecord = {
  readonly event_type: "INFO" | "WARNING" | "ERROR";
  /** Seconds since 1970. */
  readonly event_ts: number;
  readonly event_content: string;
};

export const RegistrationRequest = z.looseObject({
  /** The family's JSON, as text. */
  model: z.string(),
  persist: z.boolean().nullish(),
  worker_ip: z.string().nullish(),
});

export const RegistrationsQuery = z.object({ detailed: z.stringbool().default(false) });

export type RegistrationRecord = { readonly model_name: string; readonly is_builtin: boolean };

/** One form of a model, from one place, in one quantization. */
export type RegistrationSpec = {
  readonly model_format: string;
  readonly model_size_in_billions: number;
  readonly quantization: string;
  readonly model_hub: string | null;
  readonly model_id: string | null;
  readonly model_revision: string | null;
  readonly model_uri: string | null;
  readonly multimodal_projectors: null;
  /** Whether its files are on this machine, all of them. */
  readonly cache_status: boolean;
};

export type DetailedRegistration = RegistrationRecord & {
  readonly version: 2;
  readonly model_description: string;
  readonly context_length: number;
  readonly model_lang: readonly string[];
  readonly model_ability: readonly string[];
  readonly model_family: string;
  readonly architectures: readonly string[];
  readonly model_type: "mllama";
  readonly download_hubs: readonly string[];
  readonly model_specs: readonly RegistrationSpec[];
};

export type VersionRecord = {
  readonly model_version: string;
  /** Address of the machine → where the files are; `null` when they are not. */
  readonly model_file_location: Readonly<Record<string, string>> | null;
  readonly cache_status: boolean;
  readonly quantization: string;
  readonly multimodal_projector: null;
  readonly model_format: string;
  readonly model_size_in_billions: number;
};

export const CacheQuery = z.object({ model_name: name, worker_ip: name });
export const CacheFilesQuery = z.object({ model_version: z.string().max(300), worker_ip: name });

/** In the order in which Xinference's command line prints them. */
export type CachedModelRecord = {
  readonly model_name: string;
  readonly model_size_in_billions: number | null;
  readonly model_format: string;
  readonly quantization: string;
  readonly model_version: string;
  readonly path: string;
  readonly real_path: string;
  readonly actor_ip_address: string;
};

export const ClusterInfoQuery = z.object({ detailed: z.stringbool().default(false) });

export type ClusterNode = {
  readonly node_type: "Supervisor" | "Worker";
  readonly ip_address: string;
  readonly gpu_count: number;
  readonly gpu_vram_total: number | string;
  readonly gpu_vram_available?: number;
  readonly gpu_utilization?: number | null;
  readonly cpu_available?: number;
  readonly cpu_count?: number;
  readonly mem_used?: number;
  readonly mem_available?: number;
  readonly mem_total?: number;
};

export const AbortRequestBody = z.looseObject({ block_duration: z.number().min(0).nullish() });
export type AbortRequestReply = { readonly msg: "DONE" | "NOT_FOUND" };

const autostartLaunch = {
  model_uid: z.string().max(300).nullish(),
  model_name: z.string().max(300).nullish(),
} as const;

/** What is launched stands in `launch`, or flat beside the rest. */
export const AutostartRequest = z.looseObject({
  enabled: z.boolean().nullish(),
  /** Smaller starts sooner; 100 when absent. */
  priority: z.int().min(-1_000_000).max(1_000_000).nullish(),
  max_retries: z.int().min(0).max(100).nullish(),
  retry_interval_seconds: z.number().min(0).max(86_400).nullish(),
  launch: z.looseObject(autostartLaunch).nullish(),
  ...autostartLaunch,
});

export type AutostartRecord = {
  readonly enabled: boolean;
  readonly model_uid: string;
  readonly priority: number;
  /** `null`: a few times, with growing pauses. */
  readonly max_retries: number | null;
  readonly retry_interval_seconds: number | null;
  /** As it was sent, without what is secret in it. */
  readonly launch: Readonly<Record<string, unknown>>;
  readonly state: {
    /** Since this server started; 0 when it did not start the model. */
    readonly attempts: number;
    readonly instance_status: ModelStatus | "TERMINATED";
    readonly last_error: string | null;
  };
};

export type AutostartReply = { readonly models: readonly AutostartRecord[] };
export type AutostartSummary = {
  readonly models: readonly { readonly enabled: boolean; readonly model_uid: string }[];
};

export const PastLaunchRequest = z.looseObject({
  model_name: z.string().min(1).max(300),
  model_uid: z.string().max(300).nullish(),
  /** Its client's own. */
  data: z.unknown(),
});

export type PastLaunchRecord = {
  readonly model_name: string;
  readonly model_uid: string | null;
  readonly data: unknown;
  /** ISO 8601. */
  readonly updated_at: string;
};

export const UnbanRequest = z.looseObject({ ip: z.string().min(1).max(100) });

export type BannedAddressesReply = {
  readonly banned_ips: readonly {
    /** Of IPv6 the network. */
    readonly ip: string;
    readonly remaining_seconds: number;
  }[];
};

export const AuditQuery = z.object({
  user: name,
  model: name,
  category: z.enum(["model", "key", "account", "login"]).optional(),
  start_time: z.iso.datetime({ offset: true }).optional(),
  end_time: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  /** The id of a record: only older ones. */
  before: z.coerce.number().int().min(1).optional(),
});

export type AuditRecord = {
  readonly id: number;
  /** ISO 8601. */
  readonly timestamp: string;
  readonly category: "model" | "key" | "account" | "login";
  /** Such as `model-loaded`. */
  readonly event: string;
  /** A model's uid, a key's id, an account's name. */
  readonly subject: string | null;
  /** Whose request it was. */
  readonly user: string | null;
  readonly details: Readonly<Record<string, unknown>>;
};

export type AuditReply = {
  readonly records: readonly AuditRecord[];
  /** For `before`, to get more; `null` when these were the last. */
  readonly next_before: number | null;
};
