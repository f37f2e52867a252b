/** Answers from a model in this process: a platform without HTTP. */
import { resolve } from "node:path";
import { createLogger } from "../base/logger.ts";
import type { Settings } from "../config/settings.ts";
import type { GenerateRequest, SamplingParams } from "../generation/request.ts";
import { offerTools } from "../generation/tools.ts";
import { launchAndWait, Platform } from "../platform.ts";
import type { AnswerEvent, AnswerSource, AskSettings, Turn } from "./answer-source.ts";
import { engineOptionsOf, type LoadFlags, type SamplingFlags } from "./options.ts";
import { showLaunch } from "./render/launch-progress.ts";
import type { Terminal } from "./terminal.ts";

export type LocalModel = {
  /** `demo`, the absolute path of a checkpoint directory, or a name of the registry. */
  readonly model: string;
  readonly flags: LoadFlags;
  readonly settings: Settings;
};

/** A loaded model and the platform it lives in. Disposing it frees both. */
export interface LoadedPlatform extends AsyncDisposable {
  readonly platform: Platform;
  readonly uid: string;
}

/** @throws PlatformError whatever is wrong with the model; nothing is left running then */
export async function loadLocally(
  { model, flags, settings }: LocalModel,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<LoadedPlatform> {
  const platform = new Platform({ log: createLogger(settings.logLevel), settings });
  try {
    const uid = await launchShown(platform, { model, uid: undefined, flags }, terminal, signal);
    return { platform, uid, [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose]() };
  } catch (error) {
    await platform[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Launch a model on `platform` and show how it goes until it is ready.
 *
 * @throws PlatformError when it fails, `cancelled` when `signal` aborts
 */
export async function launchShown(
  platform: Platform,
  { model, uid, flags }: { model: string; uid: string | undefined; flags: LoadFlags },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<string> {
  let progress: ReturnType<typeof showLaunch> | undefined;
  try {
    const instance = await launchAndWait(
      platform.supervisor,
      { model, uid, ...toLaunchOptions(flags), origin: "command" },
      {
        signal,
        onStarted: (modelName) => {
          progress = showLaunch(terminal, modelName);
        },
        onEvent: (event) => progress?.onEvent(event),
      },
    );
    return instance.uid;
  } finally {
    progress?.[Symbol.dispose]();
  }
}

function toLaunchOptions(flags: LoadFlags) {
  return {
    engine: flags.modelEngine,
    profile: flags.profile ?? ("ref" as const),
    maxModelLen: flags.maxModelLen,
    maxNumSeqs: flags.maxNumSeqs,
    kvCacheDtype: flags.kvCacheDtype,
    numThreads: flags.numThreads,
    quantization: flags.quantization === true ? "" : flags.quantization,
    engineOptions: {
      ...engineOptionsOf(flags),
      ...(flags.imatrix !== undefined && { imatrix: resolve(flags.imatrix) }),
    },
    download: flags.download,
    hub: flags.hub === undefined || flags.hub === "auto" ? undefined : flags.hub,
    revision: flags.revision,
  };
}

export function localSource(loaded: LoadedPlatform): AnswerSource {
  return {
    ask: (turns, options) => askLocally(loaded, turns, options),
    [Symbol.asyncDispose]: () => loaded[Symbol.asyncDispose](),
  };
}

/** The settings of a request: what was typed, then what the model's makers advise. */
export function toSampling(
  flags: SamplingFlags,
  defaults: ReturnType<Platform["router"]["defaultsOf"]>,
): SamplingParams {
  return {
    maxTokens: flags.maxTokens,
    temperature: flags.temperature ?? defaults.temperature,
    topK: flags.topK ?? defaults.topK,
    topP: flags.topP ?? defaults.topP,
    minP: flags.minP ?? defaults.minP,
    presencePenalty: flags.presencePenalty ?? 0,
    frequencyPenalty: flags.frequencyPenalty ?? 0,
    repetitionPenalty: flags.repetitionPenalty ?? defaults.repetitionPenalty,
    seed: flags.seed,
    stop: flags.stop ?? [],
    logprobs: undefined,
  };
}

async function* askLocally(
  { platform, uid }: LoadedPlatform,
  turns: readonly Turn[],
  { sampling, offered, signal }: AskSettings,
): AsyncGenerator<AnswerEvent, void> {
  const request: GenerateRequest = {
    prompt: {
      type: "chat",
      messages: turns,
      tools: offered === undefined ? undefined : offerTools(offered.tools, offered.choice),
    },
    sampling: toSampling(sampling, platform.router.defaultsOf(uid)),
  };
  for await (const event of platform.router.generate(uid, request, { signal })) {
    switch (event.type) {
      case "started":
        break;
      case "image": {
        const { imageIndex, width, height, grid, cached, cachedIn, encodeMs } = event.report;
        yield {
          type: "image",
          index: imageIndex,
          image: { width, height, grid, cached, cachedIn, encodeMs },
        };
        break;
      }
      case "text-delta":
        if (event.text !== "") yield { type: "text", text: event.text };
        break;
      case "finish":
        yield {
          type: "finish",
          reason: event.reason,
          numTokens: event.usage.completionTokens,
          ...(event.toolCalls !== undefined && { toolCalls: event.toolCalls }),
        };
        break;
      default:
        event satisfies never;
    }
  }
}
