/**
 * What the scheduling loop asks of a loaded model: encode a picture, run one forward pass.
 *
 * The loop knows sequences and blocks; the runner knows tensors. `mllama-runner.ts` implements it.
 */
import type { BlockId, TokenId } from "../../base/ids.ts";
import type { ImageReport, Picture } from "../../generation/engine-prompt.ts";
import type { EngineModelInfo } from "../engine.ts";
import type { PictureEntry } from "./picture-keeper.ts";

/** A picture's cross-attention keys and values on the device. Freed by its owner, the vision cache. */
export interface CrossStates extends Disposable {
  /** Vision tokens that text can see: real tiles only. */
  readonly numVisionTokens: number;
  readonly sizeBytes: number;
  readonly report: Pick<ImageReport, "grid" | "resized" | "aspectRatioId">;
}

/** One sequence's part of a forward pass. */
export type StepSequence = {
  /** The tokens to run, in order: a prompt chunk, or one token. */
  readonly tokenIds: readonly TokenId[];
  /** Position of the first of `tokenIds` in the sequence. */
  readonly startPosition: number;
  /** The KV blocks of the whole sequence, in order; they hold at least `startPosition + tokenIds.length` cells. */
  readonly blockIds: readonly BlockId[];
  /** All pictures of the prompt, in order; empty for text only. */
  readonly pictures: readonly CrossStates[];
  /** Position of each picture's image token in the prompt, ascending. */
  readonly imagePositions: readonly number[];
  /** Of so many of the last of `tokenIds` the logits are wanted. */
  readonly numLogits: number;
};

export type EncodeOptions = {
  /** Waited for before each part of the work, so that others get their turn; what it throws ends it. */
  readonly pause: () => Promise<void>;
  /** What `onTokens` was given for this picture before: the tower and the projector are left out. */
  readonly tokens?: Uint8Array<ArrayBuffer> | undefined;
  /** Is given what tower and projector made of the picture, for another time. */
  readonly onTokens?: ((tokens: Uint8Array<ArrayBuffer>) => void) | undefined;
};

export interface ModelRunner extends AsyncDisposable {
  readonly model: EngineModelInfo;
  /** Cells in one KV block. */
  readonly blockSize: number;
  readonly numBlocks: number;
  /** What one picture's states take, at most. */
  readonly maxPictureBytes: number;
  /** What pictures' states may take where they lie; absent, or `undefined`: the host's part for them. */
  readonly pictureRoomBytes?: number | undefined;
  /** What it holds; absent in a stand-in. */
  memory?(): { readonly weightBytes: number; readonly cacheBytes: number };
  /** Under what a picture's tokens can be kept, and how large they are; absent where they cannot. */
  entryOf?(picture: Picture): PictureEntry;
  /** Run a picture through tower, projector and the cross layers' key and value products. */
  encodeImage(picture: Picture, options: EncodeOptions): Promise<CrossStates>;
  /**
   * One forward pass over all of `batch`; off the event loop.
   *
   * @returns per sequence of `batch`, `[numLogits, vocabSize]`; `undefined` where none are wanted
   */
  step(batch: readonly StepSequence[]): Promise<(Float32Array | undefined)[]>;
}
