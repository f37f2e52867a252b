/**
 * A loaded Llama 3.2 Vision behind the `ModelRunner` contract: sequences and blocks in, logits out.
 *
 * Owns the back end, the weights and the KV cache; knows nothing of requests, queues or sampling.
 */
import { readdir } from "node:fs/promises";
import { cpus } from "node:os";
import { isAbsolute } from "node:path";
import { PlatformError } from "../../base/errors.ts";
import type { BlockId } from "../../base/ids.ts";
import { tokenId } from "../../base/ids.ts";
import { packageVersion } from "../../base/package-root.ts";
import { hostMemory } from "../../devices/host-memory.ts";
import type { Picture } from "../../generation/engine-prompt.ts";
import { Backend } from "../../ggml/backend.ts";
import { CPU } from "../../ggml/device.ts";
import type { TensorSets } from "../../ggml/tensor-sets.ts";
import { type Checkpoint, openCheckpoint } from "../../models/mllama/checkpoint.ts";
import { encodeImage, restoreImage } from "../../models/mllama/encode-image.ts";
import { planTiles, prepareTiles } from "../../models/mllama/image-tiles.ts";
import { allocateLayers } from "../../models/mllama/layer-memory.ts";
import { type LoadedWeights, loadWeights } from "../../models/mllama/load-weights.ts";
import { type MllamaModel, profiles, textFrequencies } from "../../models/mllama/mllama-model.ts";
import type { KvLayer, PictureStates } from "../../models/mllama/picture-states.ts";
import { allOn, cardsOf, type Placement, stepPlacement } from "../../models/mllama/placement.ts";
import {
  type ImageProcessorConfig,
  parseImageProcessorConfig,
} from "../../models/mllama/processor-config.ts";
import { isQuantization } from "../../models/mllama/quantization.ts";
import { fitsHeads, type StateDtype, towerDtype } from "../../models/mllama/state-dtype.ts";
import { type TextPart, textForward } from "../../models/mllama/text-model.ts";
import { tokenBytes } from "../../models/mllama/vision-tokens.ts";
import type { EngineLoadOptions, EngineModelInfo, LoadProgress } from "../engine.ts";
import {
  bytesBesideCache,
  chooseCacheSize,
  crossBytesPerTile,
  defaultStateDtype,
  KV_BLOCK_SIZE,
  PICTURES_ON_CARD,
} from "../memory.ts";
import { shapeOfCheckpoint } from "../model-shape.ts";
import type { PlacementPlan } from "../placement-plan.ts";
import { pictureKey } from "./block-keys.ts";
import type { CrossStates, EncodeOptions, ModelRunner, StepSequence } from "./model-runner.ts";
import type { PictureEntry } from "./picture-keeper.ts";
import { placeModel } from "./place-model.ts";
import { quantizedDirectory } from "./quantize-model.ts";
import { towerFingerprint } from "./tower-fingerprint.ts";

/** Below this many weights a second thread costs more than it saves. */
const SINGLE_THREAD_BYTES = 64e6;

/** Load a checkpoint directory. @throws PlatformError `corrupt_model_file`, `model_not_found`, `out_of_memory`, `engine_unavailable` */
export async function loadMllamaRunner(
  options: EngineLoadOptions,
  { onProgress }: { readonly onProgress: (progress: LoadProgress) => void },
): Promise<MllamaRunner> {
  onProgress({ stage: "reading the checkpoint", fraction: undefined });
  const checkpoint = await openCheckpoint(await directoryToLoad(options, onProgress));
  const processor = parseImageProcessorConfig(checkpoint.preprocessor);
  const numThreads =
    options.numThreads ?? (checkpoint.fileBytes < SINGLE_THREAD_BYTES ? 1 : undefined);
  refuseLongContext(checkpoint, options);
  refuseOddHeads(checkpoint, options);
  const planned = await placeModel(shapeOfCheckpoint(checkpoint), options);
  const placement = planned?.placement ?? allOn(CPU, checkpoint.config.text.numLayers);
  const backend = Backend.open({ numThreads, devices: cardsOf(placement) });
  let weights: LoadedWeights | undefined;
  try {
    weights = await loadWeights(backend, checkpoint, {
      placement,
      onLoaded: (fraction, totalBytes) =>
        onProgress({ stage: "loading weights", fraction, totalBytes }),
    });
    const tower = await towerFingerprint(checkpoint, {
      version: packageVersion(),
      ggml: backend.library.version,
      profile: options.profile,
      attention: towerDtype(
        options.kvCacheDtype ?? defaultStateDtype(shapeOfCheckpoint(checkpoint)),
      ),
      device: placement.tower,
      kernels: backend.kernelsHash,
      // By what it can do, ggml and our operators choose among forms that add up in another order.
      processor: cpus()[0]?.model,
    });
    return new MllamaRunner({
      backend,
      checkpoint,
      processor,
      weights,
      placement,
      planned,
      options,
      tower,
    });
  } catch (error) {
    weights?.[Symbol.dispose]();
    backend[Symbol.dispose]();
    throw error;
  }
}

/** The checkpoint's own, or that of what a quantization makes of it. */
async function directoryToLoad(
  {
    directory,
    quantization = "none",
    cacheDirectory,
    engineOptions = {},
    numThreads,
  }: EngineLoadOptions,
  onProgress: (progress: LoadProgress) => void,
): Promise<string> {
  const { imatrix } = engineOptions;
  if (imatrix !== undefined && (typeof imatrix !== "string" || !isAbsolute(imatrix))) {
    throw new PlatformError("invalid_request", "--imatrix is not the path of a file.", {
      details: { param: "imatrix" },
    });
  }
  // A GGUF's own quantization is nothing to be made.
  const isDerived = isQuantization(quantization) && (await isOriginal(directory));
  if (!isDerived) return directory;
  if (cacheDirectory === undefined) throw new Error("there is no place for a quantized model");
  return await quantizedDirectory(
    { directory, quantization, cacheDirectory, imatrix, numThreads },
    onProgress,
  );
}

async function isOriginal(directory: string): Promise<boolean> {
  const names: readonly string[] = await readdir(directory).catch(() => []);
  return !names.includes("model.gguf");
}

export type RunnerMemory = {
  readonly weightBytes: number;
  readonly cacheBytes: number;
  /** By kind of graph: `step` and `encode-image`. */
  readonly graphBytes: ReadonlyMap<string, number>;
};

class MllamaRunner implements ModelRunner {
  readonly model: EngineModelInfo;
  readonly blockSize = KV_BLOCK_SIZE;
  readonly numBlocks: number;
  readonly maxPictureBytes: number;
  readonly pictureRoomBytes: number | undefined;
  readonly #mllama: MllamaModel;
  readonly #processor: ImageProcessorConfig;
  readonly #tower: string;
  readonly #weights: LoadedWeights;
  readonly #cacheSet: TensorSets;
  readonly #kvCache: readonly (KvLayer | undefined)[];

  constructor(parts: {
    readonly backend: Backend;
    readonly checkpoint: Checkpoint;
    readonly processor: ImageProcessorConfig;
    readonly weights: LoadedWeights;
    readonly placement: Placement;
    /** `undefined`: all of it lies on the processor. */
    readonly planned: PlacementPlan | undefined;
    readonly options: EngineLoadOptions;
    /** What pictures' tokens follow from beside the pictures. */
    readonly tower: string;
  }) {
    const { backend, checkpoint, processor, weights, placement, planned, options } = parts;
    const { config } = checkpoint;
    const shape = shapeOfCheckpoint(checkpoint);
    const kvDtype = options.kvCacheDtype ?? defaultStateDtype(shape);
    this.#mllama = {
      backend,
      config,
      weights,
      placement,
      switches: profiles[options.profile],
      inverseFrequencies: textFrequencies(checkpoint),
      stateDtype: kvDtype,
    };
    this.#processor = processor;
    this.#tower = parts.tower;
    this.#weights = weights;

    const { contextLength, numBlocks } =
      planned?.cache ??
      chooseCacheSize(shape, {
        ...options,
        dtype: kvDtype,
        freeBytes: hostMemory().availableBytes,
        otherBytes: bytesBesideCache(shape, kvDtype),
      });
    this.numBlocks = numBlocks;
    this.#cacheSet = allocateCache(backend, checkpoint, {
      placement,
      dtype: kvDtype,
      numCells: this.numBlocks * KV_BLOCK_SIZE,
    });
    this.maxPictureBytes = config.vision.maxTiles * crossBytesPerTile(shape, kvDtype);
    const hasPicturesOnCard = config.text.crossLayers.some((i) => placement.layers[i] !== CPU);
    this.pictureRoomBytes = hasPicturesOnCard ? PICTURES_ON_CARD * this.maxPictureBytes : undefined;
    this.#kvCache = Array.from({ length: config.text.numLayers }, (_, index) =>
      config.text.crossLayers.includes(index)
        ? undefined
        : { key: this.#cacheSet.get(`${index}.key`), value: this.#cacheSet.get(`${index}.value`) },
    );
    this.model = {
      contextLength,
      vocabSize: config.text.vocabSize,
      numEmbeddings: config.text.numEmbeddings,
      imageTokenId: tokenId(config.imageTokenId),
      bosTokenId: tokenId(checkpoint.bosTokenId),
      stopTokenIds: checkpoint.stopTokenIds.map(tokenId),
      visionTokensPerTile: config.vision.tokensPerTile,
      ...(planned !== undefined && { placement: planned.parts }),
    };
  }

  entryOf(picture: Picture): PictureEntry {
    const { numTiles } = planTiles(picture, this.#processor);
    return {
      key: `${this.#tower} ${pictureKey(picture)}`,
      sizeBytes: tokenBytes(this.#mllama, numTiles),
    };
  }

  async encodeImage(
    picture: Picture,
    { pause, tokens, onTokens }: EncodeOptions,
  ): Promise<CrossStates> {
    const { grid, resized, aspectRatioId, numTiles } = planTiles(picture, this.#processor);
    const states =
      tokens === undefined
        ? await encodeImage(this.#mllama, prepareTiles(picture, this.#processor), {
            pause,
            onTokens,
          })
        : await restoreImage(this.#mllama, numTiles, tokens, { pause });
    return new EncodedPicture(states, { grid, resized, aspectRatioId });
  }

  async step(batch: readonly StepSequence[]): Promise<(Float32Array | undefined)[]> {
    const { backend, config, weights, switches, placement } = this.#mllama;
    using graph = backend.newGraph({ kind: "step", maxNodes: maxStepNodes(config, batch) });
    const logits = textForward(graph, config, weights.text, {
      parts: batch.map(toTextPart),
      kvCache: this.#kvCache,
      inverseFrequencies: this.#mllama.inverseFrequencies,
      maskedRows: switches.maskedRows,
      placement: stepPlacement(placement),
    });
    const [rows] = await graph.compute(logits === undefined ? [] : [logits]);
    const { vocabSize } = config.text;
    let row = 0;
    return batch.map(({ numLogits }) => {
      if (numLogits === 0 || rows === undefined) return undefined;
      const start = row * vocabSize;
      row += numLogits;
      return rows.subarray(start, row * vocabSize);
    });
  }

  /** What is allocated now, pictures' states aside. */
  memory(): RunnerMemory {
    return {
      weightBytes: this.#weights.sizeBytes,
      cacheBytes: this.#cacheSet.sizeBytes,
      graphBytes: this.#mllama.backend.graphBytes(),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#cacheSet[Symbol.dispose]();
    this.#weights[Symbol.dispose]();
    this.#mllama.backend[Symbol.dispose]();
    return Promise.resolve();
  }
}

class EncodedPicture implements CrossStates {
  readonly states: PictureStates;
  readonly report: CrossStates["report"];

  constructor(states: PictureStates, report: CrossStates["report"]) {
    this.states = states;
    this.report = report;
  }

  get numVisionTokens(): number {
    return this.states.numVisibleTokens;
  }

  get sizeBytes(): number {
    return this.states.sizeBytes;
  }

  [Symbol.dispose](): void {
    this.states[Symbol.dispose]();
  }
}

function toTextPart(sequence: StepSequence): TextPart {
  const { tokenIds, startPosition, blockIds, pictures, imagePositions, numLogits } = sequence;
  return {
    tokenIds,
    startPosition,
    cells: cellsOf(blockIds, startPosition + tokenIds.length),
    pictures: pictures.map((picture) => {
      if (!(picture instanceof EncodedPicture)) throw new Error("a picture of another runner");
      return picture.states;
    }),
    imagePositions,
    numLogits,
  };
}

/** The cell of each of the first `numCells` positions. */
function cellsOf(blockIds: readonly BlockId[], numCells: number): number[] {
  if (blockIds.length * KV_BLOCK_SIZE < numCells) {
    throw new Error(`${blockIds.length} blocks do not hold ${numCells} cells`);
  }
  return Array.from({ length: numCells }, (_, position) => {
    const block = blockIds[Math.floor(position / KV_BLOCK_SIZE)] ?? 0;
    return block * KV_BLOCK_SIZE + (position % KV_BLOCK_SIZE);
  });
}

function refuseLongContext({ config }: Checkpoint, { maxModelLen }: EngineLoadOptions): void {
  const { maxPositions } = config.text;
  if (maxModelLen !== undefined && maxModelLen > maxPositions) {
    throw new PlatformError(
      "invalid_request",
      `--max-model-len ${maxModelLen} is more than the ${maxPositions} positions of this model. Leave it out or lower it.`,
    );
  }
}

function refuseOddHeads({ config }: Checkpoint, { kvCacheDtype }: EngineLoadOptions): void {
  const { headSize } = config.text;
  if (kvCacheDtype !== undefined && !fitsHeads(kvCacheDtype, headSize)) {
    throw new PlatformError(
      "invalid_request",
      `--kv-cache-dtype ${kvCacheDtype} comes in blocks of 32 numbers, and the heads of this model have ${headSize}. Leave it out, or choose f16 or f32.`,
      { details: { param: "kv_cache_dtype" } },
    );
  }
}

function allocateCache(
  backend: Backend,
  { config }: Checkpoint,
  {
    placement,
    dtype,
    numCells,
  }: { readonly placement: Placement; readonly dtype: StateDtype; readonly numCells: number },
): TensorSets {
  const { numLayers, crossLayers, numKvHeads, headSize } = config.text;
  return allocateLayers(backend, placement, {
    layers: Array.from({ length: numLayers }, (_, index) => index).filter(
      (index) => !crossLayers.includes(index),
    ),
    spec: { dtype, shape: [numCells, numKvHeads * headSize] },
  });
}

/** Operators and inputs of a step, with room: some per layer, some per sequence and layer. */
function maxStepNodes({ text }: Checkpoint["config"], batch: readonly StepSequence[]): number {
  const perSequence = batch.reduce((sum, { pictures }) => sum + 16 + 8 * pictures.length, 0);
  // Rounded up, so that batches of similar size share one arena.
  return 2 ** Math.ceil(Math.log2(256 + text.numLayers * (48 + perSequence)));
}
