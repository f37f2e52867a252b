/**
 * The vision tower at full size, on pictures of one to four tiles: what the shared rows save.
 *
 *     npx tsx bench/vision-tower.ts [--local 32] [--global 8] [--tiles 1,2,4] [--runs 3] [--plain] [--parts] [--no-kernels] [--against PYTHON] [--json FILE]
 *
 * --no-kernels computes it by ggml alone; --against times Transformers' tower in the same run, in turns, with a Python that has it.
 * With --parts it is computed as beside running answers, in parts, and the parts' times are told.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Backend } from "../src/ggml/backend.ts";
import { findKernels } from "../src/ggml/kernels.ts";
import type { Tensor } from "../src/ggml/tensor.ts";
import { parseMllamaConfig } from "../src/models/mllama/config.ts";
import type { VisionLayerWeights, VisionWeights } from "../src/models/mllama/model-weights.ts";
import { plainLayout, sharedLayout } from "../src/models/mllama/vision-layout.ts";
import { visionForward } from "../src/models/mllama/vision-model.ts";
import { RandomWeights } from "./support/random-weights.ts";

const { values } = parseArgs({
  options: {
    local: { type: "string", default: "32" },
    global: { type: "string", default: "8" },
    tiles: { type: "string", default: "1,2,4" },
    runs: { type: "string", default: "3" },
    threads: { type: "string", default: String(availableParallelism()) },
    plain: { type: "boolean", default: false },
    parts: { type: "boolean", default: false },
    "no-kernels": { type: "boolean", default: false },
    against: { type: "string" },
    json: { type: "string" },
  },
});
const tileCounts = values.tiles.split(",").map(Number);
const numLocalLayers = Number(values.local);
const numRuns = Number(values.runs);

const config = parseMllamaConfig({
  model_type: "mllama",
  architectures: ["MllamaForConditionalGeneration"],
  text_config: {},
  vision_config: {
    image_size: 560,
    num_hidden_layers: numLocalLayers,
    num_global_layers: Number(values.global),
    intermediate_layers_indices: [0, 1, 2, 3, 4].map((tap) =>
      Math.min(numLocalLayers - 5 + tap, [3, 7, 15, 23, 30][tap] ?? 0),
    ),
  },
});
const { hiddenSize, intermediateSize, patchSize, tokensPerTile, maxTiles, aspectRatios } =
  config.vision;
const tableRows = (aspectRatios.length + 1) * maxTiles;

function wantLayer(weights: RandomWeights, prefix: string): void {
  for (const name of ["q", "k", "v", "o"]) {
    weights.wantMatrix(prefix + name, "bf16", [hiddenSize, hiddenSize]);
  }
  weights.wantMatrix(`${prefix}fc1`, "bf16", [intermediateSize, hiddenSize]);
  weights.wantMatrix(`${prefix}fc2`, "bf16", [hiddenSize, intermediateSize]);
  weights.wantVector(`${prefix}fc1.bias`, [intermediateSize]);
  for (const name of ["norm1", "bias1", "norm2", "bias2", "fc2.bias"]) {
    weights.wantVector(prefix + name, [hiddenSize]);
  }
}

function layerOf(weights: RandomWeights, prefix: string, gate: number): VisionLayerWeights {
  const vector = (name: string): Tensor => weights.vector(prefix + name);
  const matrix = (name: string): Tensor => weights.matrix(prefix + name);
  return {
    attentionNorm: { weight: vector("norm1"), bias: vector("bias1") },
    attention: { query: matrix("q"), key: matrix("k"), value: matrix("v"), output: matrix("o") },
    mlpNorm: { weight: vector("norm2"), bias: vector("bias2") },
    mlp: {
      fc1: matrix("fc1"),
      fc1Bias: vector("fc1.bias"),
      fc2: matrix("fc2"),
      fc2Bias: vector("fc2.bias"),
    },
    attentionGate: gate,
    mlpGate: gate,
  };
}

using backend = Backend.openCpu({
  numThreads: Number(values.threads),
  usesKernels: !values["no-kernels"],
});
using weights = new RandomWeights();
const locals = Array.from({ length: config.vision.numLocalLayers }, (_, i) => `local.${i}.`);
const globals = Array.from({ length: config.vision.numGlobalLayers }, (_, i) => `global.${i}.`);
for (const prefix of [...locals, ...globals]) wantLayer(weights, prefix);
weights.wantMatrix("patches", "bf16", [hiddenSize, 3 * patchSize ** 2]);
weights.wantMatrix("positions", "bf16", [tokensPerTile, hiddenSize]);
weights.wantMatrix("tilePositions", "bf16", [tableRows * tokensPerTile, hiddenSize]);
weights.wantMatrix("projector", "bf16", [config.text.hiddenSize, config.vision.outputSize]);
weights.wantVector("projector.bias", [config.text.hiddenSize]);
weights.wantVector("class", [1, hiddenSize]);
weights.wantVector("tiles", [tableRows, hiddenSize]);
for (const name of ["norm", "bias"]) weights.wantVector(name, [hiddenSize]);
weights.allocate(backend);
const norm = { weight: weights.vector("norm"), bias: weights.vector("bias") };
const vision: VisionWeights = {
  patchEmbedding: weights.matrix("patches"),
  classEmbedding: weights.vector("class"),
  positionEmbedding: weights.matrix("positions"),
  tilePositionEmbedding: weights.matrix("tilePositions"),
  positionGate: 0.5,
  preTileEmbedding: weights.vector("tiles"),
  postTileEmbedding: weights.vector("tiles"),
  preNorm: norm,
  postNorm: norm,
  localLayers: locals.map((prefix) => layerOf(weights, prefix, 1)),
  globalLayers: globals.map((prefix) => layerOf(weights, prefix, 0.5)),
  projector: weights.matrix("projector"),
  projectorBias: weights.vector("projector.bias"),
  hasZeroTileTables: true,
};

const partMs: number[] = [];

async function encodeMs(numTiles: number): Promise<number> {
  const layout = (values.plain ? plainLayout : sharedLayout)(numTiles, config.vision);
  const aspectRatioId =
    1 + aspectRatios.findIndex(({ rows, columns }) => rows * columns === numTiles);
  const length = layout.numSlots * config.vision.numPatches * 3 * patchSize ** 2;
  const patches = Float32Array.from({ length }, (_, i) => Math.sin(i));
  using graph = backend.newGraph({ kind: "tower", maxNodes: 8192, isPausable: values.parts });
  const projected = visionForward(graph, config, vision, {
    layout,
    patches,
    aspectRatioId,
    taps: "input",
    attentionDtype: "f16",
  });
  let lastPause: number | undefined;
  const pause = async (): Promise<void> => {
    const now = performance.now();
    if (lastPause !== undefined) partMs.push(now - lastPause);
    lastPause = now;
  };
  await graph.compute([graph.slice(projected, 0, 0, 1)], values.parts ? { pause } : {});
  return graph.computeMs;
}

const peer = values.against === undefined ? undefined : await startPeer(values.against);

/** Transformers' tower, which answers a number of tiles with milliseconds. */
async function startPeer(python: string): Promise<{
  readonly what: string;
  ms(numTiles: number): Promise<number>;
  end(): void;
}> {
  const script = fileURLToPath(new URL("transformers_tower.py", import.meta.url));
  const sizes = ["--local", values.local, "--global", values.global, "--threads", values.threads];
  const child = spawn(python, [script, ...sizes], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${script} ended`);
    return value;
  };
  return {
    what: await next(),
    ms: async (numTiles) => {
      child.stdin.write(`${numTiles}\n`);
      return Number(await next());
    },
    end: () => child.stdin.end(),
  };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const times = new Map(tileCounts.map((numTiles) => [numTiles, [] as number[]]));
const peerTimes = new Map(tileCounts.map((numTiles) => [numTiles, [] as number[]]));
// In turns, so that a machine whose speed drifts drifts for all.
for (let run = 0; run < numRuns; run++) {
  for (const numTiles of tileCounts) {
    times.get(numTiles)?.push(await encodeMs(numTiles));
    if (peer !== undefined) peerTimes.get(numTiles)?.push(await peer.ms(numTiles));
  }
}
peer?.end();
const four = median(times.get(4) ?? []);
const result = {
  what: `vision tower, ${locals.length} local and ${globals.length} global layers at 560 pixels, bf16${values.plain ? ", every row by itself" : ""}`,
  cpu: cpus()[0]?.model,
  threads: backend.numThreads,
  operators:
    findKernels(backend.library).kernels === undefined || values["no-kernels"] ? "ggml" : "our own",
  ...(peer !== undefined && { against: peer.what }),
  runs: numRuns,
  ...(values.parts && {
    parts: {
      count: partMs.length,
      medianMs: Math.round(median(partMs)),
      ninetyNinthMs: Math.round(
        partMs.toSorted((a, b) => a - b)[Math.floor(partMs.length * 0.99)] ?? Number.NaN,
      ),
      longestMs: Math.round(Math.max(...partMs)),
    },
  }),
  byTiles: [...times].map(([numTiles, measured]) => ({
    tiles: numTiles,
    medianMs: Math.round(median(measured)),
    ofFourTiles: Number((median(measured) / four).toFixed(3)),
    ...(peer !== undefined && {
      peerMedianMs: median(peerTimes.get(numTiles) ?? []),
      timesFaster: Number((median(peerTimes.get(numTiles) ?? []) / median(measured)).toFixed(2)),
    }),
  })),
};
console.log(JSON.stringify(result, null, 2));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
