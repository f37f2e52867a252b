import { setTimeout as sleep } from "node:timers/promises";
import { AtalayaClient } from "@atalaya/client";
import type { LaunchRequest, ModelRecord } from "@atalaya/protocol";
import { type Command, Option } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { readSettings, type SettingFlags } from "../../config/settings.ts";
import { remoteError } from "../exit-code.ts";
import { toLaunchable } from "../find-model.ts";
import { addEndpointOption, addLoadOptions, type LoadFlags } from "../options.ts";
import { showLoading } from "../render/progress.ts";
import { listenForInterrupt } from "../signals.ts";
import type { Terminal } from "../terminal.ts";

type LaunchFlags = SettingFlags &
  LoadFlags & {
    readonly modelUid?: string;
    readonly modelName?: string;
    readonly modelPath?: string;
    readonly modelType?: string;
    readonly modelFormat?: string;
    readonly quantization?: string;
    readonly sizeInBillions?: string;
    readonly replica?: string;
  };

/** Between two looks at how loading goes. */
const pollMs = 200;

export function launch(program: Command, terminal: Terminal): void {
  const command = program
    .command("launch")
    .description("Launch a model on a running server.")
    .argument("[directory]", "checkpoint directory in Hugging Face layout, or demo")
    .option("-u, --model-uid <uid>", "name it answers to; the directory's own when left out")
    .option("-n, --model-name <name>", "demo, or a directory")
    .option("--model-path <directory>", "checkpoint directory")
    // Words of Xinference's commands that need no choice here.
    .addOption(new Option("-t, --model-type <type>", "only LLM").hideHelp())
    .addOption(new Option("-f, --model-format <format>", "only pytorch").hideHelp())
    .addOption(new Option("-q, --quantization <name>", "only none").hideHelp())
    .addOption(new Option("-s, --size-in-billions <size>", "not used").hideHelp())
    .addOption(new Option("-r, --replica <count>", "only 1").hideHelp())
    .addHelpText(
      "after",
      "\nExamples:\n  $ atalaya launch ./Llama-3.2-11B-Vision-Instruct --model-uid vision\n  $ atalaya launch demo",
    )
    .action((directory: string | undefined, flags: LaunchFlags) =>
      runLaunch(directory, flags, terminal),
    );
  addLoadOptions(addEndpointOption(command));
}

async function runLaunch(
  directory: string | undefined,
  flags: LaunchFlags,
  terminal: Terminal,
): Promise<void> {
  const client = new AtalayaClient(readSettings(flags, terminal.env));
  using interrupt = listenForInterrupt();
  const { signal } = interrupt;
  const body = toRequest(directory, flags, terminal.cwd);
  const { model_uid: uid } = await client.launch(body, { waitReady: false, signal });
  try {
    const record = await waitUntilSettled(client, uid, terminal, signal);
    if (record.error !== undefined) throw remoteError(record.error);
  } catch (error) {
    // What failed or was given up is not left behind.
    await client.terminate(uid).catch(() => undefined);
    throw error;
  }
  terminal.stdout.write(`Model uid: ${uid}\n`);
}

async function waitUntilSettled(
  client: AtalayaClient,
  uid: string,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ModelRecord> {
  let record = await client.getModel(uid, { signal });
  using _ = showLoading(terminal, uid, () =>
    record.progress === undefined
      ? undefined
      : { stage: record.progress.stage, fraction: record.progress.fraction ?? undefined },
  );
  while (record.state === "starting") {
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
    record = await client.getModel(uid, { signal });
  }
  return record;
}

function toRequest(directory: string | undefined, flags: LaunchFlags, cwd: string): LaunchRequest {
  const given = [directory, flags.modelPath, flags.modelName].filter((name) => name !== undefined);
  const [name] = given;
  if (name === undefined) {
    throw new PlatformError(
      "invalid_request",
      "Say what to launch: a checkpoint directory, or demo. Example: atalaya launch ./Llama-3.2-11B-Vision-Instruct",
    );
  }
  const model = toLaunchable(name, cwd);
  return {
    ...(model === name && !/^([\\/]|[a-z]:)/i.test(model)
      ? { model_name: model }
      : { model_path: model }),
    model_uid: flags.modelUid,
    model_engine: flags.modelEngine,
    profile: flags.profile,
    max_model_len: flags.maxModelLen,
    max_num_seqs: flags.maxNumSeqs,
    kv_cache_dtype: flags.kvCacheDtype,
    num_threads: flags.numThreads,
    model_type: flags.modelType,
    model_format: flags.modelFormat,
    quantization: flags.quantization,
    model_size_in_billions: flags.sizeInBillions,
    replica: flags.replica === undefined ? undefined : Number(flags.replica),
  };
}
