/** Opens golden checkpoints as models, exactly as the runner does. */
import type { RgbImage } from "../../src/base/rgb-image.ts";
import { Backend } from "../../src/ggml/backend.ts";
import { openCheckpoint } from "../../src/models/mllama/checkpoint.ts";
import { type ImageTiles, prepareTiles } from "../../src/models/mllama/image-tiles.ts";
import { allocateLayers } from "../../src/models/mllama/layer-memory.ts";
import { loadWeights } from "../../src/models/mllama/load-weights.ts";
import {
  type MllamaModel,
  profiles,
  textFrequencies,
} from "../../src/models/mllama/mllama-model.ts";
import type { KvLayer } from "../../src/models/mllama/picture-states.ts";
import { allOn, cardsOf, type Placement } from "../../src/models/mllama/placement.ts";
import { parseImageProcessorConfig } from "../../src/models/mllama/processor-config.ts";
import type { StateDtype } from "../../src/models/mllama/state-dtype.ts";
import type { GoldenCase } from "./golden.ts";
import { goldenCheckpoint, goldenPicture } from "./golden.ts";

export type OpenModel = Disposable & {
  readonly model: MllamaModel;
  readonly kvCache: readonly (KvLayer | undefined)[];
  readonly tiles: (golden: GoldenCase) => ImageTiles[];
  readonly tilesOf: (picture: RgbImage) => ImageTiles;
};

export async function openTinyModel(
  name: string,
  profile: "ref" | "hf",
  stateDtype: StateDtype = "f32",
  place?: PlaceModel,
): Promise<OpenModel> {
  return await openModel(goldenCheckpoint(name), profile, stateDtype, place);
}

/** Number of layers → where each lies; cards' back ends are loaded already. */
export type PlaceModel = (numLayers: number) => Placement;

/** Open any checkpoint directory. */
export async function openModel(
  directory: string,
  profile: "ref" | "hf",
  stateDtype: StateDtype = "f32",
  place: PlaceModel = (numLayers) => allOn("cpu", numLayers),
): Promise<OpenModel> {
  const checkpoint = await openCheckpoint(directory);
  const processor = parseImageProcessorConfig(checkpoint.preprocessor);
  const { config } = checkpoint;
  const placement = place(config.text.numLayers);
  const backend = Backend.open({ numThreads: 1, devices: cardsOf(placement) });
  const weights = await loadWeights(backend, checkpoint, { placement });
  const { numLayers, crossLayers, numKvHeads, headSize } = config.text;
  const spec = { dtype: stateDtype, shape: [512, numKvHeads * headSize] };
  const selfLayers = Array.from({ length: numLayers }, (_, index) => index).filter(
    (index) => !crossLayers.includes(index),
  );
  const cache = allocateLayers(backend, placement, { layers: selfLayers, spec });
  return {
    model: {
      backend,
      config,
      weights,
      placement,
      switches: profiles[profile],
      inverseFrequencies: textFrequencies(checkpoint),
      stateDtype,
    },
    kvCache: Array.from({ length: numLayers }, (_, index) =>
      crossLayers.includes(index)
        ? undefined
        : { key: cache.get(`${index}.key`), value: cache.get(`${index}.value`) },
    ),
    tilesOf: (picture) => prepareTiles(picture, processor),
    tiles: (golden) =>
      golden.pictures.map((picture) => prepareTiles(goldenPicture(picture), processor)),
    [Symbol.dispose]: () => {
      cache[Symbol.dispose]();
      weights[Symbol.dispose]();
      backend[Symbol.dispose]();
    },
  };
}
