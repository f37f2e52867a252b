/** What is measured: an engine with a model loaded, and how it was loaded. */
import { createHash } from "node:crypto";
import { tokenId } from "../../base/ids.ts";
import type { EnginePrompt, EngineSampling, Picture } from "../../generation/engine-prompt.ts";
import type { Engine } from "../../platform.ts";

export type Contestant = {
  /** Such as `native q4_k`. */
  readonly name: string;
  readonly engine: Engine;
  readonly loadMs: number;
  /** Edge of the model's tiles, pixels. */
  readonly tileSize: number;
};

/** When the tokens of one answer came; milliseconds since it was asked for. */
export type Timing = {
  readonly tokenMs: readonly number[];
  readonly encodeMs: readonly number[];
};

/** Greedy, and to the last token: what a model says must not decide how long it is measured. */
function toTheEnd(maxTokens: number): EngineSampling {
  return {
    maxTokens,
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    presencePenalty: 0,
    frequencyPenalty: 0,
    repetitionPenalty: 1,
    seed: 1,
    stopTokenIds: [],
    logprobs: undefined,
  };
}

/** Ask for exactly `maxTokens` tokens. @throws PlatformError what the engine says */
export async function time(
  { engine }: Contestant,
  prompt: EnginePrompt,
  { maxTokens, signal }: { readonly maxTokens: number; readonly signal: AbortSignal },
): Promise<Timing> {
  const startedAt = performance.now();
  const tokenMs: number[] = [];
  const encodeMs: number[] = [];
  const sampling = toTheEnd(maxTokens);
  for await (const event of engine.generate(prompt, { sampling, signal })) {
    if (event.type === "token") tokenMs.push(performance.now() - startedAt);
    else if (event.type === "image") encodeMs.push(event.encodeMs);
  }
  signal.throwIfAborted();
  return { tokenMs, encodeMs };
}

/** Prompts that no cache has seen, the same for every contestant of a run. */
export class Prompts {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** @param numTokens of the text, the start of text and the pictures' tokens aside */
  next({ engine }: Contestant, numTokens: number, pictures: readonly Picture[] = []): EnginePrompt {
    const { bosTokenId, imageTokenId, vocabSize, stopTokenIds } = engine.model;
    const ids: number[] = [];
    while (ids.length < numTokens) {
      const id = this.#below(vocabSize);
      // Special tokens stand at the end of the vocabulary, and would end or alter the text.
      if (
        id < vocabSize * 0.9 &&
        id !== imageTokenId &&
        !stopTokenIds.some((stop) => stop === id)
      ) {
        ids.push(id);
      }
    }
    return {
      tokenIds: [bosTokenId, ...pictures.map(() => imageTokenId), ...ids.map((id) => tokenId(id))],
      pictures,
    };
  }

  /** A picture of noise that fills `columns` × `columns` tiles. */
  picture({ tileSize }: Contestant, columns: number): Picture {
    const edge = tileSize * columns;
    const pixels = new Uint8Array(edge * edge * 3);
    for (let index = 0; index < pixels.length; index++) pixels[index] = this.#below(256);
    const contentHash = createHash("sha256")
      .update(`${edge} ${edge} `)
      .update(pixels)
      .digest("hex");
    return { width: edge, height: edge, pixels, contentHash };
  }

  /** A linear congruence's upper bits. */
  #below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }
}
