/** The words of `launch` → the request that a server understands. Pure. */

import { resolve } from "node:path";
import type { LaunchRequest } from "@atalaya/protocol";
import { type Command, Option } from "commander";
import { PlatformError } from "../base/errors.ts";
import type { SettingFlags } from "../config/settings.ts";
import { toLaunchable } from "./find-model.ts";
import { collect, engineOptionsOf, type LoadFlags } from "./options.ts";
import { collectPair, type ExtraOptions, parseExtraOptions } from "./xinference-options.ts";

type Pairs = readonly (readonly string[])[];

export type LaunchFlags = SettingFlags &
  LoadFlags & {
    readonly modelUid?: string;
    readonly modelName?: string;
    readonly modelPath?: string;
    readonly modelType?: string;
    readonly modelFormat?: string;
    /** `true` when nothing follows it, as a shell leaves a variable that is not set. */
    readonly quantization?: string | true;
    readonly sizeInBillions?: string;
    readonly estimate?: boolean;
    readonly dryRun?: boolean;
    readonly replica?: string;
    readonly nWorker?: string;
    readonly nGpu?: string;
    readonly gpuIdx?: string;
    readonly workerIp?: string;
    readonly loraModules?: Pairs;
    readonly imageLoraLoadKwargs?: Pairs;
    readonly imageLoraFuseKwargs?: Pairs;
    readonly quantizationConfig?: Pairs;
    readonly trustRemoteCode?: string | true;
    readonly enableThinking?: boolean;
    readonly enableVirtualEnv?: boolean;
    readonly disableVirtualEnv?: boolean;
    readonly virtualEnvPackage?: readonly string[];
    readonly virtualEnvFindLink?: readonly string[];
    readonly env?: Pairs;
  };

/** Words of Xinference's commands; the server says which of them it cannot honour. */
export function addXinferenceOptions(command: Command): void {
  const hidden = (flags: string): Option => new Option(flags).hideHelp();
  command
    .addOption(hidden("-t, --model-type <type>"))
    .option("-r, --replica <count>", "processes that have the model each (default: 1)")
    .addOption(hidden("--n-worker <count>"))
    .addOption(hidden("--n-gpu <count>"))
    .addOption(hidden("--gpu-idx <indices>"))
    .addOption(hidden("--worker-ip <address>"))
    .addOption(hidden("--lora-modules <pair>").argParser(collectPair))
    .addOption(hidden("--image-lora-load-kwargs <pair>").argParser(collectPair))
    .addOption(hidden("--image-lora-fuse-kwargs <pair>").argParser(collectPair))
    .addOption(hidden("--quantization-config <pair>").argParser(collectPair))
    .addOption(hidden("--trust-remote-code [bool]"))
    .addOption(hidden("--enable-thinking"))
    .addOption(hidden("--enable-virtual-env"))
    .addOption(hidden("--disable-virtual-env"))
    .addOption(hidden("--virtual-env-package <name>").argParser(collect))
    .addOption(hidden("--virtual-env-find-link <place>").argParser(collect))
    .addOption(hidden("--env <pair>").argParser(collectPair));
}

/**
 * The model stands before the first option that the command line does not know.
 *
 * @param args what is left after the known options
 */
export function splitArguments(args: readonly string[]): {
  readonly model: string | undefined;
  readonly extra: ExtraOptions;
} {
  const [first, ...rest] = args;
  if (first === undefined || first.startsWith("-")) {
    return { model: undefined, extra: parseExtraOptions(args) };
  }
  return { model: first, extra: parseExtraOptions(rest) };
}

/** @throws PlatformError `invalid_request` when no model is named */
export function toLaunchRequest(
  operand: string | undefined,
  flags: LaunchFlags,
  { extra, cwd }: { readonly extra: ExtraOptions; readonly cwd: string },
): LaunchRequest {
  const name = operand ?? flags.modelPath ?? flags.modelName;
  if (name === undefined) {
    throw new PlatformError(
      "invalid_request",
      "Say what to launch: the name of a model, a checkpoint directory, or demo. Example: atalaya launch ./Llama-3.2-11B-Vision-Instruct",
    );
  }
  const model = toLaunchable(name, cwd);
  const isPath = model !== name || /^([\\/]|[a-z]:)/i.test(model);
  return {
    ...extra,
    ...(isPath
      ? { model_path: model, model_name: name === flags.modelName ? undefined : flags.modelName }
      : { model_name: model }),
    model_uid: flags.modelUid,
    model_engine: flags.modelEngine,
    model_size_in_billions: flags.sizeInBillions,
    model_format: flags.modelFormat,
    quantization: flags.quantization === true ? "" : flags.quantization,
    profile: flags.profile,
    max_model_len: flags.maxModelLen,
    max_num_seqs: flags.maxNumSeqs,
    kv_cache_dtype: flags.kvCacheDtype,
    num_threads: flags.numThreads,
    ...engineOptionsOf(flags),
    ...(flags.imatrix !== undefined && { imatrix: resolve(cwd, flags.imatrix) }),
    download: flags.download === false ? false : undefined,
    download_hub: flags.hub === "auto" ? undefined : flags.hub,
    revision: flags.revision,
    ...xinferenceFields(flags),
  };
}

function xinferenceFields(flags: LaunchFlags): Record<string, unknown> {
  const count = (text: string | undefined): unknown =>
    text === undefined || !/^\d+$/.test(text) ? text : Number(text);
  const lora = flags.loraModules?.map(([name, path]) => ({ lora_name: name, local_path: path }));
  const peft = {
    lora_list: lora,
    image_lora_load_kwargs: toObject(flags.imageLoraLoadKwargs),
    image_lora_fuse_kwargs: toObject(flags.imageLoraFuseKwargs),
  };
  const trust = flags.trustRemoteCode;
  return {
    model_type: flags.modelType,
    replica: count(flags.replica),
    n_worker: count(flags.nWorker),
    n_gpu: flags.nGpu === "none" ? null : count(flags.nGpu),
    gpu_idx: flags.gpuIdx?.split(",").map(count),
    worker_ip: flags.workerIp,
    peft_model_config: Object.values(peft).every((part) => part === undefined) ? undefined : peft,
    quantization_config: toObject(flags.quantizationConfig),
    trust_remote_code: trust === undefined ? undefined : !/^false$/i.test(`${trust}`),
    enable_thinking: flags.enableThinking,
    enable_virtual_env:
      flags.enableVirtualEnv === true ? true : flags.disableVirtualEnv === true ? false : undefined,
    virtual_env_packages: flags.virtualEnvPackage,
    virtual_env_find_links: flags.virtualEnvFindLink,
    envs: toObject(flags.env),
  };
}

const toObject = (pairs: Pairs | undefined): Record<string, unknown> | undefined =>
  pairs === undefined ? undefined : Object.fromEntries(pairs);
