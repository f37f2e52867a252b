/** The first token of a model that was just loaded: whoever asks next does not wait for pages of its weights, and that it can answer is seen. */
import { PlatformError } from "../base/errors.ts";
import type { Engine, LoadProgress } from "../engines/engine.ts";
import type { EngineSampling } from "../generation/engine-prompt.ts";

const oneToken: EngineSampling = {
  maxTokens: 1,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  seed: 0,
  stopTokenIds: [],
  logprobs: undefined,
};

/** @throws PlatformError `worker_failed` when no token comes, and whatever the engine says */
export async function warmUp(
  engine: Engine,
  {
    signal,
    onProgress,
  }: { readonly signal: AbortSignal; readonly onProgress: (progress: LoadProgress) => void },
): Promise<void> {
  onProgress({ stage: "warming up", fraction: undefined });
  const prompt = { tokenIds: [engine.model.bosTokenId], pictures: [] };
  let hasToken = false;
  for await (const event of engine.generate(prompt, { sampling: oneToken, signal })) {
    hasToken ||= event.type === "token";
  }
  signal.throwIfAborted();
  if (!hasToken) {
    throw new PlatformError(
      "worker_failed",
      "The model was loaded, and makes no token. Launch it again, or with another --model-engine.",
    );
  }
}
