/** What Xinference's management routes answer, where `xinference.ts` names only a row of it. */
import type { ErrorReply } from "./error.ts";
import type {
  CachedModelRecord,
  ClusterNode,
  DetailedRegistration,
  ModelEventRecord,
  ModelInstanceRecord,
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
