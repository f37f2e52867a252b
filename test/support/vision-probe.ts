/** Runs the tower and reads the stages that a test names. */
import type { Tensor } from "../../src/ggml/tensor.ts";
import { chooseLayout } from "../../src/models/mllama/encode-image.ts";
import type { ImageTiles } from "../../src/models/mllama/image-tiles.ts";
import type { MllamaModel } from "../../src/models/mllama/mllama-model.ts";
import { cutPatches } from "../../src/models/mllama/patches.ts";
import { towerDtype } from "../../src/models/mllama/state-dtype.ts";
import { visionForward } from "../../src/models/mllama/vision-model.ts";

/** @returns stage → its rows; `projected` is the tower's result */
export async function readVision(
  model: MllamaModel,
  tiles: ImageTiles,
  stages: readonly string[],
  isPlain = false,
): Promise<ReadonlyMap<string, Float32Array>> {
  const layout = chooseLayout(model, tiles.numTiles, isPlain);
  using graph = model.backend.newGraph({ kind: "probe", maxNodes: 2048 });
  const kept: [string, Tensor][] = [];
  const projected = visionForward(
    graph,
    model.config,
    model.weights.vision,
    {
      layout,
      patches: cutPatches(tiles.pixelValues, {
        tileSize: tiles.tileSize,
        patchSize: model.config.vision.patchSize,
        numSlots: layout.numSlots,
      }),
      aspectRatioId: tiles.aspectRatioId,
      taps: model.switches.taps,
      attentionDtype: towerDtype(model.stateDtype),
    },
    // A copy, because a later operator may write into the stage's own memory.
    (name, rows) => {
      if (stages.includes(name)) kept.push([name, graph.scale(rows, 1)]);
    },
  );
  if (stages.includes("projected")) kept.push(["projected", projected]);
  const data = await graph.compute(kept.map(([, tensor]) => tensor));
  return new Map(kept.map(([name], index) => [name, data[index] ?? new Float32Array()]));
}
