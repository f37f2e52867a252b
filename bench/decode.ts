/**
 * Decoding at the 11B's size: how much of the memory bandwidth one step uses, and how much of it is
 * spent in TypeScript; and what several sequences in one step gain over one.
 *
 *     npx tsx bench/decode.ts [--types q4_0,q4_k,q8_0,bf16] [--layers 40] [--sequences 16] [--steps 24] [--threads 2] [--json FILE]
 *
 * With all layers, bf16 takes 19 GB of memory. The read loop is measured before and after each type.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Backend } from "../src/ggml/backend.ts";
import { type Dtype, dtypeTraits } from "../src/ggml/dtype.ts";
import type { Tensor } from "../src/ggml/tensor.ts";
import { parseMllamaConfig } from "../src/models/mllama/config.ts";
import type { TextLayerWeights, TextWeights } from "../src/models/mllama/model-weights.ts";
import { textForward } from "../src/models/mllama/text-model.ts";
import { inverseFrequencies } from "../src/nn/rope.ts";
import { RandomWeights } from "./support/random-weights.ts";

const { values } = parseArgs({
  options: {
    types: { type: "string", default: "q4_0" },
    layers: { type: "string", default: "40" },
    sequences: { type: "string", default: "16" },
    steps: { type: "string", default: "24" },
    threads: { type: "string", default: String(availableParallelism()) },
    json: { type: "string" },
  },
});
const count = (name: "layers" | "sequences" | "steps" | "threads"): number => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} is a number`);
  return value;
};
const numLayers = count("layers");
const numSequences = count("sequences");
const numSteps = count("steps");
const numThreads = count("threads");
const dtypes = values.types.split(",").map((name) => {
  const dtype = Object.keys(dtypeTraits).find((known) => known === name);
  if (dtype === undefined) throw new Error(`there is no type ${name}`);
  return dtype as Dtype;
});
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

function describe(weights: RandomWeights, dtype: Dtype): void {
  for (let layer = 0; layer < config.text.numLayers; layer++) {
    weights.wantMatrix(`${layer}.q`, dtype, [numHeads * headSize, hiddenSize]);
    weights.wantMatrix(`${layer}.k`, dtype, [kvWidth, hiddenSize]);
    weights.wantMatrix(`${layer}.v`, dtype, [kvWidth, hiddenSize]);
    weights.wantMatrix(`${layer}.o`, dtype, [hiddenSize, numHeads * headSize]);
    weights.wantMatrix(`${layer}.gate`, dtype, [intermediateSize, hiddenSize]);
    weights.wantMatrix(`${layer}.up`, dtype, [intermediateSize, hiddenSize]);
    weights.wantMatrix(`${layer}.down`, dtype, [hiddenSize, intermediateSize]);
    weights.wantVector(`${layer}.norm1`, [hiddenSize]);
    weights.wantVector(`${layer}.norm2`, [hiddenSize]);
  }
  weights.wantMatrix("head", dtype, [vocabSize, hiddenSize]);
  weights.wantVector("norm", [hiddenSize]);
}

const inverse = inverseFrequencies({ headSize, ...config.text.rope });
/** Cells of each sequence. */
const CELLS = PAST + 256;

async function measure(dtype: Dtype, backend: Backend) {
  const before = readLoopBandwidth();
  using weights = new RandomWeights();
  describe(weights, dtype);
  weights.allocate(backend);
  using others = backend.allocate(
    new Map([
      ["embedding", { dtype: "f16", shape: [1024, hiddenSize] }],
      ...Array.from({ length: config.text.numLayers }, (_, layer) => [
        [`${layer}.key`, { dtype: "f16", shape: [numSequences * CELLS, kvWidth] }] as const,
        [`${layer}.value`, { dtype: "f16", shape: [numSequences * CELLS, kvWidth] }] as const,
      ]).flat(),
    ]),
  );
  const textWeights = textWeightsOf(weights, others.get("embedding"));
  const kvCache = textWeights.layers.map((_, layer) => ({
    key: others.get(`${layer}.key`),
    value: others.get(`${layer}.value`),
  }));

  /** One step of so many sequences; milliseconds in all and outside of ggml. */
  async function step(position: number, together: number): Promise<StepTime> {
    const start = performance.now();
    using graph = backend.newGraph({ kind: "step", maxNodes: 65_536 });
    const logits = textForward(graph, config, textWeights, {
      parts: Array.from({ length: together }, (_, sequence) => ({
        tokenIds: [position % 1024],
        startPosition: position,
        cells: Array.from({ length: position + 1 }, (__, cell) => sequence * CELLS + cell),
        pictures: [],
        imagePositions: [],
        numLogits: 1,
      })),
      kvCache,
      inverseFrequencies: inverse,
      maskedRows: "zero",
    });
    if (logits === undefined) throw new Error("no logits");
    await graph.compute([logits]);
    const totalMs = performance.now() - start;
    return { totalMs, typescriptMs: totalMs - graph.computeMs };
  }

  async function medians(together: number): Promise<StepTime> {
    for (let warmUp = 0; warmUp < 3; warmUp++) await step(PAST, together);
    const steps: StepTime[] = [];
    for (let i = 0; i < numSteps; i++) steps.push(await step(PAST + i, together));
    return {
      totalMs: median(steps.map((s) => s.totalMs)),
      typescriptMs: median(steps.map((s) => s.typescriptMs)),
    };
  }

  const one = await medians(1);
  const bandwidth = (before + readLoopBandwidth()) / 2;
  const many = await medians(numSequences);
  const kvBytes = config.text.numLayers * 2 * kvWidth * 2 * (PAST + numSteps / 2);
  const readBytes = weights.matrixBytes + kvBytes;
  const together = (1000 * numSequences) / many.totalMs;
  return {
    type: dtype,
    tokensPerSecond: 1000 / one.totalMs,
    msPerToken: one.totalMs,
    gigabytesPerToken: readBytes / 1e9,
    gigabytesPerSecond: readBytes / one.totalMs / 1e6,
    readLoopGigabytesPerSecond: bandwidth,
    fractionOfReadLoop: readBytes / one.totalMs / 1e6 / bandwidth,
    typescriptMsPerToken: one.typescriptMs,
    typescriptShare: one.typescriptMs / one.totalMs,
    sequences: numSequences,
    tokensPerSecondTogether: together,
    togetherOverOne: (together * one.totalMs) / 1000,
  };
}

type StepTime = { readonly totalMs: number; readonly typescriptMs: number };

function textWeightsOf(weights: RandomWeights, embedding: Tensor): TextWeights {
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
  return { embedding, layers, norm: weights.vector("norm"), head: weights.matrix("head") };
}

const measured: Awaited<ReturnType<typeof measure>>[] = [];
using backend = Backend.openCpu({ numThreads });
for (const dtype of dtypes) {
  const found = await measure(dtype, backend);
  console.log(JSON.stringify(found, null, 2));
  measured.push(found);
}
const result = {
  what: `decode, ${config.text.numLayers} layers of the 11B's size and its head`,
  cpu: cpus()[0]?.model,
  threads: numThreads,
  measured,
};
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
