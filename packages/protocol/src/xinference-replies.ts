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
export type XinferenceErrorReply = ErrorReply & { readonly detail: string };

export type InstancesReply = readonly ModelInstanceRecord[];
export type ReplicasReply = readonly ReplicaStatusRecord[];
export type ModelEventsReply = readonly ModelEventRecord[];
export type RegistrationsReply = readonly (RegistrationRecord | DetailedRegistration)[];
export type VersionsReply = readonly VersionRecord[];
export type CachedModelsReply = { readonly list: readonly CachedModelRecord[] };
export type CachedFilesReply = {
  readonly model_version: string;
  readonly worker_ip: string;
  readonly paths: readonly string[];
};
/** There are none to list. */
export type VirtualEnvironmentsReply = { readonly list: readonly [] };
export type ResultReply = { readonly result: boolean };
export type ClusterInfoReply = readonly ClusterNode[];
export type WorkersReply = readonly {
  readonly "work-ip": string;
  readonly models: readonly string[];
}[];
export type SupervisorReply = { readonly supervisor_ip: string };
export type AddressReply = string;
/** Graphics cards. */
export type DevicesReply = number;
export type ClusterVersionReply = {
  readonly version: string;
  readonly "full-revisionid": null;
  readonly dirty: false;
  readonly error: null;
  readonly atalaya: string;
};
export type UiConfigReply = Readonly<Record<string, string | boolean | null | object>>;
export type StatusReply = {
  /** Seconds. */
  readonly uptime: number;
  readonly workers: Readonly<Record<string, object>>;
};
/** Ability → names. */
export type FamiliesReply = Readonly<Record<string, readonly string[]>>;
export type PromptsReply = Readonly<Record<string, object>>;
export type RequestProgressReply = { readonly progress: number };
export type PastLaunchesReply = readonly PastLaunchRecord[];
/** What records of the audit can be searched by. */
export type AuditOptionsReply = {
  readonly categories: readonly string[];
  readonly users: readonly string[];
  readonly models: readonly string[];
};
/** `null`: single keys do not wait, addresses do. */
export type ThrottleRuleReply = {
  readonly ip_max_failures: number;
  readonly ip_window_seconds: number;
  /** The first time; each further one is twice as long. */
  readonly ip_ban_seconds: number;
  readonly ip_longest_ban_seconds: number;
  readonly key_max_failures: null;
  readonly key_window_seconds: null;
  readonly key_ban_seconds: null;
};
export type BannedKeysReply = { readonly banned_keys: readonly [] };
