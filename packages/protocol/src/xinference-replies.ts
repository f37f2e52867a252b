/** What Xinference's management routes answer, where `xinference.ts` names only a row of it. */
import type { ErrorReply } from "./error.ts";
import type {
  CachedModelRecord,
  ClusterNode,
  DetailedRegistration,
  ModelEventRecord,
  ModelInstanceRecord,
  PastLaunchRecord,
  RegistrationRecord,
  ReplicaStatusRecord,
  VersionRecord,
} from "./xinference.ts";

/** Our error, and the same sentence where Xinference's clients look for it. */
export type XinferenceErrorReply = ErrorReply & {
  /** The message once more, where Xinference's clients look for it. */
  readonly detail: string;
};

export type InstancesReply = readonly ModelInstanceRecord[];
export type ReplicasReply = readonly ReplicaStatusRecord[];
export type ModelEventsReply = readonly ModelEventRecord[];
export type RegistrationsReply = readonly (RegistrationRecord | DetailedRegistration)[];
export type VersionsReply = readonly VersionRecord[];
export type CachedModelsReply = {
  /** The models. */
  readonly list: readonly CachedModelRecord[];
};
export type CachedFilesReply = {
  /** Which version of which model. */
  readonly model_version: string;
  /** The machine they are on. */
  readonly worker_ip: string;
  /** The files' paths there. */
  readonly paths: readonly string[];
};
/** There are none to list. */
export type VirtualEnvironmentsReply = {
  /** Always empty. */
  readonly list: readonly [];
};
export type ResultReply = {
  /** Whether it was done. */
  readonly result: boolean;
};
export type ClusterInfoReply = readonly ClusterNode[];
export type WorkersReply = readonly {
  /** The machine's address. */
  readonly "work-ip": string;
  /** Uids of its models. */
  readonly models: readonly string[];
}[];
export type SupervisorReply = {
  /** The server's address. */
  readonly supervisor_ip: string;
};
export type AddressReply = string;
/** Graphics cards. */
export type DevicesReply = number;
export type ClusterVersionReply = {
  /** Version of Xinference whose API this is. */
  readonly version: string;
  /** Always `null`. */
  readonly "full-revisionid": null;
  /** Always `false`. */
  readonly dirty: false;
  /** Always `null`. */
  readonly error: null;
  /** Version of this program. */
  readonly atalaya: string;
};
export type UiConfigReply = Readonly<Record<string, string | boolean | null | object>>;
export type StatusReply = {
  /** Seconds since the server started. */
  readonly uptime: number;
  /** Address of the machine → its processor, memory and graphics cards. */
  readonly workers: Readonly<Record<string, object>>;
};
/** Ability → names. */
export type FamiliesReply = Readonly<Record<string, readonly string[]>>;
export type PromptsReply = Readonly<Record<string, object>>;
export type RequestProgressReply = {
  /** Always 0. */
  readonly progress: number;
};
export type PastLaunchesReply = readonly PastLaunchRecord[];
/** What records of the audit can be searched by. */
export type AuditOptionsReply = {
  /** Kinds of records. */
  readonly categories: readonly string[];
  /** Names of keys and accounts. */
  readonly users: readonly string[];
  /** Uids of models. */
  readonly models: readonly string[];
};
/** `null`: single keys do not wait, addresses do. */
export type ThrottleRuleReply = {
  /** Wrong keys and passwords that an address may send. */
  readonly ip_max_failures: number;
  /** In so many seconds. */
  readonly ip_window_seconds: number;
  /** How long it waits the first time, in seconds; each further one is twice as long. */
  readonly ip_ban_seconds: number;
  /** How long it waits at most, in seconds. */
  readonly ip_longest_ban_seconds: number;
  /** Always `null`: single keys do not wait. */
  readonly key_max_failures: null;
  /** Always `null`. */
  readonly key_window_seconds: null;
  /** Always `null`. */
  readonly key_ban_seconds: null;
};
export type BannedKeysReply = {
  /** Always empty: it is the address that waits. */
  readonly banned_keys: readonly [];
};
