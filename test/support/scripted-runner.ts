/**
 * A model runner without a model: what it "computes" is a hash of what its cells hold.
 *
 * Cells are written and read through the block ids it is given, as a real cache's are, so a
 * sequence whose cells were given away, moved or left unwritten answers otherwise.
 */
import { type TokenId, tokenId } from "../../src/base/ids.ts";
import type {
  CrossStates,
  EncodeOptions,
  ModelRunner,
  StepSequence,
} from "../../src/engines/native/model-runner.ts";
import type { PictureEntry } from "../../src/engines/native/picture-keeper.ts";
import type { EngineSampling, Picture } from "../../src/generation/engine-prompt.ts";

const VOCABULARY = 64;
/** Stands for a picture; not in the head's vocabulary, as in the real model. */
export const IMAGE_TOKEN = tokenId(VOCABULARY);
const MODULUS = 1_000_003;

export type Script = {
  readonly numBlocks?: number;
  readonly blockSize?: number;
  readonly contextLength?: number;
  /** Called before each step with what is to be run; may wait or throw. */
  readonly onStep?: (batch: readonly StepSequence[]) => Promise<void> | void;
  /** In how many parts a picture is encoded; 0: without a pause. */
  readonly numEncodeParts?: number;
  /** Called before each encoding; may wait or throw. */
  readonly onEncode?: (picture: Picture) => Promise<void> | void;
  /** Changes the logits of a sequence before they are returned. */
  readonly onLogits?: (logits: Float32Array, sequence: StepSequence) => void;
};

class ScriptedStates implements CrossStates {
  readonly numVisionTokens = 4;
  readonly sizeBytes = 1_000;
  readonly report = {
    grid: { rows: 1, columns: 1 },
    resized: { width: 8, height: 8 },
    aspectRatioId: 1,
  };
  readonly seed: number;
  isDisposed = false;

  constructor(seed: number) {
    this.seed = seed;
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
  }
}

export class ScriptedRunner implements ModelRunner {
  readonly blockSize: number;
  readonly numBlocks: number;
  readonly maxPictureBytes = 1_000;
  readonly model: ModelRunner["model"];
  /** One entry a step: how many tokens each sequence ran. */
  readonly steps: number[][] = [];
  readonly encoded: ScriptedStates[] = [];
  /** Pictures whose tokens were given. */
  readonly restored: Picture[] = [];
  numPartsEncoded = 0;
  isDisposed = false;
  readonly #script: Script;
  readonly #cells = new Map<number, { readonly token: TokenId; readonly position: number }>();

  constructor(script: Script = {}) {
    this.#script = script;
    this.blockSize = script.blockSize ?? 4;
    this.numBlocks = script.numBlocks ?? 64;
    this.model = {
      contextLength: script.contextLength ?? 1_000,
      vocabSize: VOCABULARY,
      numEmbeddings: VOCABULARY + 8,
      imageTokenId: IMAGE_TOKEN,
      bosTokenId: tokenId(1),
      stopTokenIds: [tokenId(0)],
      visionTokensPerTile: 4,
    };
  }

  entryOf({ contentHash }: Picture): PictureEntry {
    return { key: contentHash, sizeBytes: 1 };
  }

  async encodeImage(
    picture: Picture,
    { pause, tokens, onTokens }: EncodeOptions,
  ): Promise<CrossStates> {
    if (tokens !== undefined) {
      this.restored.push(picture);
      return new ScriptedStates(tokens[0] ?? 0);
    }
    await this.#script.onEncode?.(picture);
    for (let part = 0; part < (this.#script.numEncodeParts ?? 0); part++) {
      await pause();
      this.numPartsEncoded++;
    }
    onTokens?.(Uint8Array.of(picture.pixels[0] ?? 0));
    const states = new ScriptedStates(picture.pixels[0] ?? 0);
    this.encoded.push(states);
    return states;
  }

  async step(batch: readonly StepSequence[]): Promise<(Float32Array | undefined)[]> {
    this.steps.push(batch.map(({ tokenIds }) => tokenIds.length));
    await this.#script.onStep?.(batch);
    for (const sequence of batch) this.#write(sequence);
    return batch.map((sequence) => this.#rows(sequence));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
    return Promise.resolve();
  }

  #cell({ blockIds }: StepSequence, position: number): number {
    const block = blockIds[Math.floor(position / this.blockSize)];
    if (block === undefined) throw new Error(`no block holds position ${position}`);
    return block * this.blockSize + (position % this.blockSize);
  }

  #write(sequence: StepSequence): void {
    sequence.tokenIds.forEach((token, index) => {
      const position = sequence.startPosition + index;
      this.#cells.set(this.#cell(sequence, position), { token, position });
    });
  }

  #rows(sequence: StepSequence): Float32Array | undefined {
    const { numLogits, startPosition, tokenIds } = sequence;
    if (numLogits === 0) return undefined;
    const rows = new Float32Array(numLogits * VOCABULARY);
    const end = startPosition + tokenIds.length;
    for (let row = 0; row < numLogits; row++) {
      rows.set(this.#logits(sequence, end - numLogits + row + 1), row * VOCABULARY);
    }
    return rows;
  }

  /** The likeliest token says what the first `numTokens` cells of the sequence and its pictures hold. */
  #logits(sequence: StepSequence, numTokens: number): Float32Array {
    let hash = 7;
    for (let at = 0; at < numTokens; at++) {
      const cell = this.#cells.get(this.#cell(sequence, at));
      if (cell?.position !== at) throw new Error(`position ${at} was never written`);
      hash = (hash * 31 + cell.token) % MODULUS;
    }
    for (const picture of sequence.pictures) {
      if (!(picture instanceof ScriptedStates) || picture.isDisposed) {
        throw new Error("a picture was freed while in use");
      }
      hash = (hash * 31 + picture.seed) % MODULUS;
    }
    const logits = new Float32Array(VOCABULARY);
    // Token 0 stops; it is never the likeliest, so that lengths are the test's to choose.
    logits[1 + (hash % (VOCABULARY - 1))] = 10;
    this.#script.onLogits?.(logits, sequence);
    return logits;
  }
}

/** A picture of one colour, whose hash is its shade. */
export function scriptedPicture(shade: number): Picture {
  return {
    width: 8,
    height: 8,
    pixels: new Uint8Array(8 * 8 * 3).fill(shade),
    contentHash: `shade-${shade}`,
  };
}

export function greedy(maxTokens: number): EngineSampling {
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
    stopTokenIds: [tokenId(0)],
    logprobs: undefined,
  };
}
