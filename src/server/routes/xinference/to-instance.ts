/** A model's launch and its replicas → Xinference's records. Pure. */
import type {
  DownloadFileRecord,
  ModelInstanceRecord,
  ProgressReply,
  ReplicaStatusRecord,
} from "@atalaya/protocol";
import type { FileDownload } from "../../../supervisor/file-downloads.ts";
import type { ModelInstance } from "../../../supervisor/instance.ts";
import { modelVersion } from "../../../supervisor/model-version.ts";
import type { ReplicaRecord } from "../../../supervisor/replicas.ts";
import { withoutDirectories } from "../../error-reply.ts";
import { toModelRecord } from "../../model-record.ts";

export const statuses = {
  starting: "CREATING",
  ready: "READY",
  failed: "ERROR",
  stopping: "TERMINATING",
} as const;

/** Of a launch, up to where the files are here; what is left is loading. */
const DOWNLOAD_SHARE = 0.8;

/** @param address of the server, `host:port` */
export function toInstance(instance: ModelInstance, address: string): ModelInstanceRecord {
  const { uid, modelName, launchedAt, state, replicas } = instance;
  const list = replicas.list();
  return {
    model_name: modelName,
    model_uid: uid,
    model_version: modelVersion(instance),
    model_ability: toModelRecord(instance, address).model_ability,
    replica: list.length,
    n_worker: 1,
    status: statuses[state],
    instance_created_ts: Math.floor(launchedAt.getTime() / 1_000),
    ...(instance.state === "failed" && {
      error_message: withoutDirectories(instance.error.message),
    }),
    replica_statuses: list.map((replica) =>
      toReplica(
        // What kept a model from being loaded may be older than any of its replicas.
        instance.state === "failed"
          ? { ...replica, state: "failed", error: replica.error ?? instance.error }
          : replica,
        uid,
        address,
      ),
    ),
  };
}

export function toReplica(
  { id, alias, state, error, createdAt }: ReplicaRecord,
  uid: string,
  address: string,
): ReplicaStatusRecord {
  return {
    replica_id: id,
    replica_model_uid: `${uid}-rep${id}`,
    replica_uid: alias ?? null,
    worker_address: address,
    model_address: address,
    accelerators: [],
    gpu_idx: [],
    status: statuses[state],
    created_ts: Math.floor(createdAt.getTime() / 1_000),
    error_message: error === undefined ? null : withoutDirectories(error.message),
  };
}

/**
 * @param instance `undefined` when no model of that name was launched, or it is gone
 * @param files those that its launch had to fetch
 */
export function toProgress(
  instance: ModelInstance | undefined,
  uid: string,
  files: readonly FileDownload[],
): ProgressReply {
  const replicas = instance?.replicas.list() ?? [];
  const [first] = replicas;
  const downloads = first === undefined ? [] : files.map((file) => toDownload(file, first.id, uid));
  const { stage, progress } = overall(instance);
  const now = Date.now() / 1_000;
  return {
    progress,
    stage,
    download_files: downloads,
    replicas: replicas.map((replica) => ({
      replica_id: replica.id,
      replica_model_uid: `${uid}-rep${replica.id}`,
      progress:
        replica.state === "ready"
          ? 1
          : stage === "loading"
            ? loadingShare(replica.progress)
            : progress,
      stage,
      info: replica.error === undefined ? "" : withoutDirectories(replica.error.message),
      updated_at: now,
      download_files: replica === first ? downloads : [],
    })),
  };
}

function toDownload(file: FileDownload, replica: number, uid: string): DownloadFileRecord {
  const { path, sizeBytes, doneBytes, state, elapsedMs, bytesPerSecond } = file;
  return {
    name: path,
    downloaded_bytes: doneBytes,
    total_bytes: sizeBytes,
    progress: sizeBytes === 0 ? 1 : doneBytes / sizeBytes,
    speed_bytes_per_second: Math.round(bytesPerSecond),
    elapsed_seconds: elapsedMs / 1_000,
    eta_seconds: bytesPerSecond === 0 ? null : (sizeBytes - doneBytes) / bytesPerSecond,
    status: state === "ready" ? "completed" : state,
    replica_id: replica,
    replica_model_uid: `${uid}-rep${replica}`,
  };
}

/** By launch: each stage of loading begins anew, and a bar must not go back. */
const furthest = new WeakMap<ModelInstance["replicas"], number>();

/** How far a launch is, never less than was said of it before; a failed one is nowhere. */
function overall(instance: ModelInstance | undefined): Pick<ProgressReply, "stage" | "progress"> {
  const now = reached(instance);
  if (instance?.state !== "starting") return now;
  const progress = Math.max(now.progress, furthest.get(instance.replicas) ?? 0);
  furthest.set(instance.replicas, progress);
  return { ...now, progress };
}

function reached(instance: ModelInstance | undefined): Pick<ProgressReply, "stage" | "progress"> {
  if (instance === undefined) return { stage: "pending", progress: 0 };
  if (instance.state !== "starting") {
    return { stage: "loading", progress: instance.state === "failed" ? 0 : 1 };
  }
  const { stage, fraction = 0 } = instance.progress;
  if (stage === "starting" || stage === "finding the files") {
    return { stage: "launching", progress: 0 };
  }
  if (stage === "downloading") return { stage: "downloading", progress: DOWNLOAD_SHARE * fraction };
  return { stage: "loading", progress: loadingShare(instance.progress) };
}

function loadingShare({ fraction = 0 }: { readonly fraction: number | undefined }): number {
  return DOWNLOAD_SHARE + (1 - DOWNLOAD_SHARE) * Math.min(fraction, 0.99);
}
