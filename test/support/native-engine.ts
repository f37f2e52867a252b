/** The native engine as the platform starts it: a worker process behind a socket. */
import { tokenId } from "../../src/base/ids.ts";
import type { RgbImage } from "../../src/base/rgb-image.ts";
import type { Engine, EngineLoadOptions } from "../../src/engines/engine.ts";
import { loadNativeEngine } from "../../src/engines/native/native-driver.ts";
import { WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import type {
  EngineEvent,
  EnginePrompt,
  EngineSampling,
} from "../../src/generation/engine-prompt.ts";
import { contentHash } from "../../src/image/content-hash.ts";
import { type GoldenCase, goldenPicture } from "./golden.ts";

const never = new AbortController().signal;

export async function startNativeEngine(
  directory: string,
  options: Partial<EngineLoadOptions> = {},
  hooks: Partial<Parameters<typeof loadNativeEngine>[1]> = {},
): Promise<WorkerDriver> {
  const engine: Engine = await loadNativeEngine(
    {
      directory,
      profile: "ref",
      maxModelLen: undefined,
      maxNumSeqs: undefined,
      kvCacheDtype: undefined,
      numThreads: 1,
      ...options,
    },
    { signal: never, onProgress: () => {}, onLog: () => {}, ...hooks },
  );
  if (!(engine instanceof WorkerDriver)) throw new Error("another engine was started");
  return engine;
}

export function promptOf(
  promptIds: readonly number[],
  pictures: readonly RgbImage[],
): EnginePrompt {
  return {
    tokenIds: promptIds.map(tokenId),
    pictures: pictures.map((picture) => ({ ...picture, contentHash: contentHash(picture) })),
  };
}

export function goldenPrompt({ promptIds, pictures }: GoldenCase): EnginePrompt {
  return promptOf(promptIds, pictures.map(goldenPicture));
}

/** The likeliest token each time, until there are `maxTokens`. */
export function greedily(maxTokens: number, options: Partial<EngineSampling> = {}): EngineSampling {
  return {
    maxTokens,
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    presencePenalty: 0,
    frequencyPenalty: 0,
    repetitionPenalty: 1,
    seed: undefined,
    stopTokenIds: [],
    logprobs: undefined,
    ...options,
  };
}

export type Answer = {
  readonly events: readonly EngineEvent[];
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly number[];
};

export async function ask(
  engine: Engine,
  prompt: EnginePrompt,
  sampling: EngineSampling,
  signal: AbortSignal = new AbortController().signal,
): Promise<Answer> {
  const events: EngineEvent[] = [];
  for await (const event of engine.generate(prompt, { sampling, signal })) events.push(event);
  const tokens = events.flatMap((event) => (event.type === "token" ? [event] : []));
  return {
    events,
    tokenIds: tokens.map((token) => token.tokenId),
    logprobs: tokens.flatMap(({ logprob }) => (logprob === undefined ? [] : [logprob])),
  };
}
