/**
 * Fields of a launch that say how many, where and how much at a time: Xinference's rules for them, in its
 * words. Pure.
 *
 * @see Xinference 3.2.1 `api/restful_api.py`, `launch_model`, and `core/replica_config.py`
 */
import type { LaunchRequest } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { LaunchOptions } from "../../../supervisor/supervisor.ts";

export type Machine = {
  /** Graphics cards. */
  readonly numGpus: number;
  /** As `host:port`; also with the port alone, or the host alone, a client means this machine. */
  readonly address: string;
};

type Fields = Readonly<Record<string, unknown>>;

/** More processes than anybody has memory for. */
const MAX_REPLICAS = 64;

/**
 * What a schema would refuse too, in words that scripts know; so it comes before the schema.
 *
 * @throws PlatformError `invalid_request`
 */
export function checkLaunchFields(body: unknown, { numGpus }: Machine): void {
  if (typeof body !== "object" || body === null) return;
  const fields: Fields = { ...body };
  if (isAbsent(fields["model_name"]) && isAbsent(fields["model_path"])) {
    throw invalid("Invalid input. Please specify the `model_name` field.", "model_name");
  }
  checkType(fields["model_type"]);
  checkUid(fields["model_uid"]);
  const replicas = readReplicas(fields["replica"]);
  checkRequestLimits(fields["request_limits"]);
  checkNumGpus(fields["n_gpu"], numGpus);
  checkGpuIndices(fields["gpu_idx"], { replicas, numGpus });
}

/** @throws PlatformError `invalid_request`, `unsupported_parameter` */
export function toPlacement(
  body: LaunchRequest,
  machine: Machine,
): Pick<LaunchOptions, "replicas" | "replicaAliases" | "requestLimit"> {
  const { worker_ip: worker, replica_config: config } = body;
  if (worker != null) checkWorker(worker, machine);
  const replicas = readReplicas(body.replica);
  refuseCards(body);
  if (config != null) {
    if (worker != null || body.gpu_idx != null || (body.n_gpu != null && body.n_gpu !== "auto")) {
      throw invalid(
        "`replica_config` says where each replica goes, so `worker_ip`, `gpu_idx` and `n_gpu` cannot be set beside it. Leave them out.",
        "replica_config",
      );
    }
    if (config.length !== replicas) {
      throw invalid(
        `\`replica_config\` has ${config.length} items and \`replica\` is ${replicas}. Give one item for each replica.`,
        "replica_config",
      );
    }
    for (const one of config) checkDevices(one.devices ?? [], machine);
    const aliases = config.flatMap(({ replica_uid: alias }) => alias ?? []);
    if (new Set(aliases).size < aliases.length) {
      throw invalid(
        "Two items of `replica_config` have one `replica_uid`. Make them differ.",
        "replica_config",
      );
    }
  }
  return {
    replicas,
    replicaAliases: config?.map(({ replica_uid: alias }) => alias ?? undefined) ?? [],
    requestLimit: body.request_limits ?? undefined,
  };
}

type Devices = NonNullable<NonNullable<LaunchRequest["replica_config"]>[number]["devices"]>;

/** @throws PlatformError `invalid_request`, `unsupported_parameter` */
export function checkDevices(devices: Devices, machine: Machine): void {
  if (devices.length > 1) {
    throw invalid(
      `A replica has ${devices.length} \`devices\`, and it runs on one machine. Name one.`,
      "replica_config",
    );
  }
  for (const { worker_ip: worker, n_gpu: count, gpu_idx: indices } of devices) {
    if (worker != null) checkWorker(worker, machine);
    checkNumGpus(count, machine.numGpus);
    checkGpuIndices(indices, { replicas: 1, numGpus: machine.numGpus });
    refuseCards({ n_gpu: count, gpu_idx: indices });
  }
}

/** That a machine has the cards does not mean that a launch can be tied to some of them. */
function refuseCards({
  n_gpu: count,
  gpu_idx: indices,
}: Pick<LaunchRequest, "n_gpu" | "gpu_idx">): void {
  const names = [indices ?? []].flat().length > 0;
  if ((count == null || count === "auto") && !names) return;
  const param = names ? "gpu_idx" : "n_gpu";
  throw new PlatformError(
    "unsupported_parameter",
    `A launch is not tied to cards by \`${param}\` here. Start the server with CUDA_VISIBLE_DEVICES set to those it may use, and give vLLM tensor_parallel_size.`,
    { details: { param } },
  );
}

/** @throws PlatformError `invalid_request` for another machine than this one */
export function checkWorker(worker: string, { address }: Machine): void {
  const host = address.replace(/:\d+$/, "");
  if ([address, host, "localhost", "127.0.0.1"].includes(worker.replace(/:\d+$/, ""))) return;
  if (worker === address) return;
  throw invalid(
    `Worker ip address ${/^[\w.:[\]-]{1,60}$/.test(worker) ? worker : "?"} is not in the cluster. This server is one machine, ${address}; leave it out.`,
    "worker_ip",
  );
}

function checkType(type: unknown): void {
  if (isAbsent(type) || type === "LLM") return;
  const shown = typeof type === "string" && /^\w{1,20}$/.test(type) ? type : "?";
  throw invalid(
    `Unsupported model type: ${shown}. This server runs Llama 3.2 Vision, which is an LLM.`,
    "model_type",
  );
}

function checkUid(uid: unknown): void {
  if (typeof uid !== "string") return;
  if (uid.length > 0 && uid.length <= 100 && !/-rep\d+$/.test(uid)) return;
  throw invalid(
    "The model UID is invalid. Please specify the model UID by 0 < length <= 100, not ending with the reserved replica suffix '-rep<number>'.",
    "model_uid",
  );
}

function readReplicas(replica: unknown): number {
  if (isAbsent(replica)) return 1;
  const refuse = (why: string): PlatformError =>
    invalid(`Invalid input. The \`replica\` field must ${why}.`, "replica");
  if (typeof replica === "boolean") throw refuse("be an integer, got a boolean");
  if (typeof replica === "number" && !Number.isInteger(replica)) {
    throw refuse("be an integer, got a float");
  }
  const count =
    typeof replica === "string" && /^\s*[+-]?\d+\s*$/.test(replica) ? Number(replica) : replica;
  if (typeof count !== "number") throw refuse("be a valid integer");
  if (count < 1) throw refuse("be at least 1");
  if (count > MAX_REPLICAS) throw refuse(`be at most ${MAX_REPLICAS}`);
  return count;
}

function checkRequestLimits(limit: unknown): void {
  if (typeof limit === "number" && limit < 0) {
    throw invalid(
      "The `request_limits` parameter must be greater or equal than 0.",
      "request_limits",
    );
  }
}

function checkNumGpus(count: unknown, numGpus: number): void {
  if (isAbsent(count) || count === "auto") return;
  const value = typeof count === "string" && /^\d+$/.test(count) ? Number(count) : count;
  if (typeof value !== "number") {
    throw invalid("Currently `n_gpu` only supports `auto`.", "n_gpu");
  }
  if (value <= 0 || value > numGpus) {
    throw invalid(
      `The parameter \`n_gpu\` must be greater than 0 and not greater than the number of GPUs: ${numGpus} on the machine.`,
      "n_gpu",
    );
  }
}

function checkGpuIndices(
  indices: unknown,
  { replicas, numGpus }: { readonly replicas: number; readonly numGpus: number },
): void {
  if (isAbsent(indices)) return;
  const list: readonly unknown[] = Array.isArray(indices) ? indices : [indices];
  if (list.length === 0) return;
  if (list.length % replicas !== 0) {
    throw invalid("Invalid input. Allocated gpu must be a multiple of replica.", "gpu_idx");
  }
  const beyond = list.find((index) => typeof index !== "number" || index < 0 || index >= numGpus);
  if (beyond === undefined) return;
  throw invalid(
    `\`gpu_idx\` names the graphics card ${typeof beyond === "number" ? beyond : "?"}, and this machine has ${numGpus === 0 ? "none" : `${numGpus}, from 0`}. Leave it out, or name one that is there.`,
    "gpu_idx",
  );
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;

function invalid(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
