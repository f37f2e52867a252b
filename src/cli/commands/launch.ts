import { ApiError, AtalayaClient } from "@atalaya/client";
import type { LaunchRequest, ModelRecord } from "@atalaya/protocol";
import type { Command } from "commander";
import { PlatformError } from "../../base/errors.ts";
import { readSettings } from "../../config/settings.ts";
import { checkPlan } from "../../platform.ts";
import { CommandFailure, remoteError } from "../exit-code.ts";
import { askBeforeStopping, type LaunchInterrupt } from "../launch-interrupt.ts";
import { fromLaunchLine, isEnd } from "../launch-lines.ts";
import {
  addXinferenceOptions,
  type LaunchFlags,
  splitArguments,
  toLaunchRequest,
} from "../launch-request.ts";
import { addEndpointOption, addLoadOptions } from "../options.ts";
import { showLaunch } from "../render/launch-progress.ts";
import { type PlanContext, planLocally, showPlan } from "../show-plan.ts";
import { note, type Terminal } from "../terminal.ts";

/** Of a launch that ends without a model, whatever the reason: scripts of Xinference's test for it. */
const failureCode = 1;

export function launch(program: Command, terminal: Terminal): void {
  const command = program
    .command("launch")
    .description(
      "Launch a model on a running server, downloads included, and wait until it answers.",
    )
    .usage("[options] [model]")
    .argument(
      "[model]",
      "name of a model as NAME or NAME:SIZE, checkpoint directory, GGUF file, ollama:NAME, or demo",
    )
    .option("-u, --model-uid <uid>", "name it answers to; the model's own when left out")
    .option("-n, --model-name <name>", "the model, as an option")
    .option("--model-path <directory>", "checkpoint directory")
    .option("-s, --size-in-billions <size>", "which size of the model, such as 11 or 1_8")
    .option("-f, --model-format <format>", "form of its files: pytorch or ggufv2")
    .option(
      "-q, --quantization [name]",
      "what the engine makes of the weights: none, q8_0, q6_k, q5_k, q4_k or q4_0",
    )
    .option("--imatrix <file>", "importance matrix to quantize with, as llama.cpp makes it (GGUF)")
    .option("--estimate", "print how much memory it would take, and start nothing")
    .option("--dry-run", "print what would be done, and start nothing")
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      "after",
      `
Options that are not listed go to the engine: --name value, --name=value, or --name alone for true.
Xinference's own options are taken too; what this version cannot do is refused by name.

Examples:
  $ atalaya launch ./Llama-3.2-11B-Vision-Instruct --model-uid vision
  $ atalaya launch llama-3.2-vision:11b --max-model-len 8192
  $ atalaya launch llama-3.2-vision:90b --estimate
  $ atalaya launch llama-3.2-vision-instruct:11b --quantization q4_k
  $ atalaya launch ollama:llama3.2-vision
  $ atalaya launch demo`,
    )
    .action(async (_model: string | undefined, flags: LaunchFlags, { args }: Command) => {
      try {
        await runLaunch(args, flags, terminal);
      } catch (error) {
        throw new CommandFailure(failureCode, error);
      }
    });
  addXinferenceOptions(addLoadOptions(addEndpointOption(command)));
}

async function runLaunch(
  args: readonly string[],
  flags: LaunchFlags,
  terminal: Terminal,
): Promise<void> {
  const { model, extra } = splitArguments(args);
  const settings = readSettings(flags, terminal.env);
  const body = toLaunchRequest(model, flags, { extra, cwd: terminal.cwd });
  if (flags.estimate === true || flags.dryRun === true) {
    await showPlan(body, { flags, settings, extra }, terminal.stdout);
    return;
  }
  if (asksForEnvironment(flags)) {
    note(
      terminal,
      "No engine takes Python packages from a launch: --enable-virtual-env, --virtual-env-package and --virtual-env-find-link change nothing.",
    );
  }
  const client = new AtalayaClient(settings);
  using interrupt = askBeforeStopping(terminal);
  const { signal } = interrupt;
  const uid = await start(client, body, { flags, settings, extra, signal });
  try {
    const record = await watchLaunch(client, uid, terminal, interrupt);
    if (flags.modelEngine === undefined) {
      note(terminal, `Engine: ${record.model_engine}, the best that runs there.`);
    }
  } catch (error) {
    // What failed or was given up is not left behind.
    await client.terminate(uid).catch(() => undefined);
    throw error;
  }
  terminal.stdout.write(`Model uid: ${uid}\n`);
}

function asksForEnvironment(flags: LaunchFlags): boolean {
  const { enableVirtualEnv, virtualEnvPackage, virtualEnvFindLink } = flags;
  return (
    enableVirtualEnv === true || virtualEnvPackage !== undefined || virtualEnvFindLink !== undefined
  );
}

/** Without a server, what speaks against the launch itself comes first: a server would say it next. */
async function start(
  client: AtalayaClient,
  body: LaunchRequest,
  { signal, ...context }: PlanContext & { readonly signal: AbortSignal },
): Promise<string> {
  try {
    return (await client.launch(body, { waitReady: false, signal })).model_uid;
  } catch (error) {
    if (error instanceof ApiError && error.code === "unreachable") {
      checkPlan(await planLocally(body, context), context.flags);
    }
    throw error;
  }
}

/** @throws what the launch failed with; `cancelled` when it was stopped, here or by somebody else */
async function watchLaunch(
  client: AtalayaClient,
  uid: string,
  terminal: Terminal,
  interrupt: LaunchInterrupt,
): Promise<ModelRecord> {
  using progress = showLaunch(terminal, uid, { namesStages: true });
  interrupt.watch(progress);
  const { signal } = interrupt;
  try {
    for await (const line of client.followLaunch(uid, { signal })) {
      if (!isEnd(line)) {
        const shown = fromLaunchLine(line);
        if (shown !== undefined) progress.onEvent(shown);
      } else if (line.type === "ready") return line.model;
      else if (line.type === "failed") throw remoteError(line.error);
      else break;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  throw new PlatformError("model_not_ready", `The launch of ${uid} was stopped by somebody else.`);
}
