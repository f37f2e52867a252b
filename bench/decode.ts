/**
 * Decoding at the 11B's size: how much of the memory bandwidth one step uses, and how much of it is
 * spent in TypeScript.
 *
 *     npx tsx bench/decode.ts [--layers 40] [--steps 24] [--threads 2] [--json FILE]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Backend } from "../src/ggml/backend.ts";
import { parseMllamaConfig } from "../src/models/mllama/config.ts";
import type { TextLayerWeights, TextWeights } from "../src/models/mllama/model-weights.ts";
import { textForward } from "../src/models/mllama/text-model.ts";
import { inverseFrequencies } from "../src/nn/rope.ts";
import { RandomWeights } from "./support/random-weights.ts";

const { values } = parseArgs({
  options: {
    layers: { type: "string", default: "40" },
    steps: { type: "string", default: "24" },
    threads: { type: "string", default: String(availableParallelism()) },
    json: { type: "string" },
  },
});
const [numLayers, numSteps, numThreads] = [values.layers, values.steps, values.threads].map(Number);
if (!numLayers || !numSteps || !numThreads)
  throw new Error("--layers, --steps and --threads are numbers");
const PAST = 256;

/** Bytes per second that a plain read loop in C reaches on as many threads, in 1e9. */
function readLoopBandwidth(): number {
  const folder = mkdtempSync(join(tmpdir(), "read-loop-"));
  try {
    const source = fileURLToPath(new URL("read-loop.c", import.meta.url));
    const program = join(folder, "read-loop");
    execFileSync("cc", ["-O3", "-march=native", "-pthread", source, "-o", program]);
    return Number(execFileSync(program, [String(numThreads)], { encoding: "utf8" }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

const parsed = parseMllamaConfig({
  model_type: "mllama",
  architectures: ["MllamaForConditionalGeneration"],
  text_config: {},
  vision_config: { image_size: 560 },
  image_token_index: 128256,
});
// Self-attention layers alone, which no checkpoint has.
const config = { ...parsed, text: { ...parsed.text, numLayers, crossLayers: [] } };
const { hiddenSize, numHeads, numKvHeads, headSize, intermediateSize, vocabSize } = config.text;
const kvWidth = numKvHeads * headSize;

function describe(weights: RandomWeights): void {
  for (let layer = 0; layer < config.text.numLayers; layer++) {
    weights.wantMatrix(`${layer}.q`, "q4_0", [numHeads * headSize, hiddenSize]);
    weights.wantMatrix(`${layer}.k`, "q4_0", [kvWidth, hiddenSize]);
    weights.wantMatrix(`${layer}.v`, "q4_0", [kvWidth, hiddenSize]);
    weights.wantMatrix(`${layer}.o`, "q4_0", [hiddenSize, numHeads * headSize]);
    weights.wantMatrix(`${layer}.gate`, "q4_0", [intermediateSize, hiddenSize]);
    weights.wantMatrix(`${layer}.up`, "q4_0", [intermediateSize, hiddenSize]);
    weights.wantMatrix(`${layer}.down`, "q4_0", [hiddenSize, intermediateSize]);
    weights.wantVector(`${layer}.norm1`, [hiddenSize]);
    weights.wantVector(`${layer}.norm2`, [hiddenSize]);
  }
  weights.wantMatrix("head", "q4_0", [vocabSize, hiddenSize]);
  weights.wantVector("norm", [hiddenSize]);
}

const bandwidth = readLoopBandwidth();
using backend = Backend.openCpu({ numThreads });
using weights = new RandomWeights();
describe(weights);
weights.allocate(backend);
using others = backend.allocate(
  new Map([
    ["embedding", { dtype: "f16", shape: [1024, hiddenSize] }],
    ...Array.from({ length: config.text.numLayers }, (_, layer) => [
      [`${layer}.key`, { dtype: "f16", shape: [1024, kvWidth] }] as const,
      [`${layer}.value`, { dtype: "f16", shape: [1024, kvWidth] }] as const,
    ]).flat(),
  ]),
);
const layers = Array.from(
  { length: config.text.numLayers },
  (_, layer): TextLayerWeights => ({
    type: "self",
    headChannels: "halves",
    attentionNorm: weights.vector(`${layer}.norm1`),
    attention: {
      query: weights.matrix(`${layer}.q`),
      key: weights.matrix(`${layer}.k`),
      value: weights.matrix(`${layer}.v`),
      output: weights.matrix(`${layer}.o`),
    },
    mlpNorm: weights.vector(`${layer}.norm2`),
    mlp: {
      gate: weights.matrix(`${layer}.gate`),
      up: weights.matrix(`${layer}.up`),
      down: weights.matrix(`${layer}.down`),
    },
  }),
);
const textWeights: TextWeights = {
  embedding: others.get("embedding"),
  layers,
  norm: weights.vector("norm"),
  head: weights.matrix("head"),
};
const inverse = inverseFrequencies({ headSize, ...config.text.rope });
const kvCache = layers.map((_, layer) => ({
  key: others.get(`${layer}.key`),
  value: others.get(`${layer}.value`),
}));

/** One step of one sequence; milliseconds in all and outside of ggml. */
async function step(position: number): Promise<{ totalMs: number; typescriptMs: number }> {
  const start = performance.now();
  using graph = backend.newGraph({ kind: "step", maxNodes: 8192 });
  const logits = textForward(graph, config, textWeights, {
    parts: [
      {
        tokenIds: [position % 1024],
        startPosition: position,
        cells: Array.from({ length: position + 1 }, (_, cell) => cell),
        pictures: [],
        imagePositions: [],
        numLogits: 1,
      },
    ],
    kvCache,
    inverseFrequencies: inverse,
    maskedRows: "zero",
  });
  if (logits === undefined) throw new Error("no logits");
  await graph.compute([logits]);
  const totalMs = performance.now() - start;
  return { totalMs, typescriptMs: totalMs - graph.computeMs };
}

for (let warmUp = 0; warmUp < 3; warmUp++) await step(PAST);
const steps: { totalMs: number; typescriptMs: number }[] = [];
for (let i = 0; i < numSteps; i++) steps.push(await step(PAST + i));

const totalMs = median(steps.map((s) => s.totalMs));
const kvBytes = config.text.numLayers * 2 * kvWidth * 2 * (PAST + numSteps / 2);
const readBytes = weights.matrixBytes + kvBytes;
const result = {
  what: `decode, ${config.text.numLayers} layers of the 11B's size and its head, q4_0, one sequence`,
  cpu: cpus()[0]?.model,
  threads: numThreads,
  tokensPerSecond: 1000 / totalMs,
  msPerToken: totalMs,
  gigabytesPerToken: readBytes / 1e9,
  gigabytesPerSecond: readBytes / totalMs / 1e6,
  readLoopGigabytesPerSecond: bandwidth,
  fractionOfReadLoop: readBytes / totalMs / 1e6 / bandwidth,
  typescriptMsPerToken: median(steps.map((s) => s.typescriptMs)),
  typescriptShare: median(steps.map((s) => s.typescriptMs)) / totalMs,
};
console.log(JSON.stringify(result, null, 2));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
