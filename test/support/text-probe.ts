/** Runs the text model on a golden case: greedily with the cache, or with its stages read. */
import type { Graph } from "../../src/ggml/graph.ts";
import type { Tensor } from "../../src/ggml/tensor.ts";
import type { PictureStates } from "../../src/models/mllama/picture-states.ts";
import { stepPlacement } from "../../src/models/mllama/placement.ts";
import { type TextPart, type TextStage, textForward } from "../../src/models/mllama/text-model.ts";
import type { GoldenCase } from "./golden.ts";
import type { OpenModel } from "./tiny-model.ts";

type Prompt = {
  readonly golden: Pick<GoldenCase, "promptIds">;
  readonly pictures: readonly PictureStates[];
};

function imagePositions({ model }: OpenModel, { promptIds }: Prompt["golden"]): number[] {
  return promptIds.flatMap((id, position) => (id === model.config.imageTokenId ? [position] : []));
}

function partOf(
  open: OpenModel,
  { golden, pictures }: Prompt,
  tokens: { readonly ids: readonly number[]; readonly start: number },
): TextPart {
  const end = tokens.start + tokens.ids.length;
  return {
    tokenIds: tokens.ids,
    startPosition: tokens.start,
    cells: Array.from({ length: end }, (_, position) => position),
    pictures,
    imagePositions: imagePositions(open, golden),
    numLogits: 1,
  };
}

export type StageNumbers = {
  readonly data: Float32Array;
  readonly shape: readonly number[];
  /** Which rows of the pass these are; `undefined`: all. */
  readonly rows: readonly number[] | undefined;
};

type Pass = {
  readonly logits: Float32Array;
  readonly stages: ReadonlyMap<string, StageNumbers>;
};

async function run(
  open: OpenModel,
  part: TextPart,
  wants: (stage: string) => boolean = () => false,
): Promise<Pass> {
  const { backend, config, weights, switches, inverseFrequencies, placement } = open.model;
  using graph = backend.newGraph({ kind: "text-probe", maxNodes: 4096 });
  const kept: { name: string; copy: Tensor; rows: readonly number[] | undefined }[] = [];
  const keep: TextStage = (name, numbers, rows) => {
    if (wants(name)) kept.push({ name, copy: copyNow(graph, numbers), rows });
  };
  const logits = textForward(
    graph,
    config,
    weights.text,
    {
      parts: [part],
      kvCache: open.kvCache,
      inverseFrequencies,
      maskedRows: switches.maskedRows,
      placement: stepPlacement(placement),
    },
    keep,
  );
  if (logits === undefined) throw new Error("no logits");
  const [last, ...stages] = await graph.compute([logits, ...kept.map(({ copy }) => copy)]);
  return {
    logits: last ?? new Float32Array(),
    stages: new Map(
      kept.map(({ name, copy: { shape }, rows }, index) => [
        name,
        { data: stages[index] ?? new Float32Array(), shape, rows },
      ]),
    ),
  };
}

/** Computed here and now: a later layer writes into the same rows. */
function copyNow(graph: Graph, numbers: Tensor): Tensor {
  const copy = graph.scale(graph.contiguous(numbers), 1);
  graph.require(copy);
  return copy;
}

/** Generate as the reference did: the prompt (in two calls when `cut`), then token by token. */
export async function generateGreedily(
  open: OpenModel,
  options: Prompt & { readonly numTokens: number; readonly cut?: number },
): Promise<{ ids: number[]; logits: Float32Array[] }> {
  const { golden, numTokens, cut = 0 } = options;
  const { promptIds } = golden;
  if (cut > 0) await run(open, partOf(open, options, { ids: promptIds.slice(0, cut), start: 0 }));
  const ids: number[] = [];
  const logits: Float32Array[] = [];
  let next: { ids: readonly number[]; start: number } = { ids: promptIds.slice(cut), start: cut };
  while (ids.length < numTokens) {
    const step = await run(open, partOf(open, options, next));
    const best = step.logits.reduce(
      (top, value, id) => (value > (step.logits[top] ?? 0) ? id : top),
      0,
    );
    logits.push(step.logits);
    ids.push(best);
    next = { ids: [best], start: promptIds.length + ids.length - 1 };
  }
  return { ids, logits };
}

/** Every stage of one pass over the prompt. */
export async function readText(
  open: OpenModel,
  prompt: Prompt,
): Promise<ReadonlyMap<string, StageNumbers>> {
  const part = partOf(open, prompt, { ids: prompt.golden.promptIds, start: 0 });
  const { stages } = await run(open, part, () => true);
  return stages;
}

/** Logits and the norm before them of the last `numRows` prompt rows, each read by itself. */
export async function readRows(
  open: OpenModel,
  prompt: Prompt,
  numRows: number,
): Promise<{ readonly logits: Float32Array[]; readonly norms: Float32Array[] }> {
  const { promptIds } = prompt.golden;
  const firstRow = promptIds.length - numRows;
  if (firstRow > 0) {
    await run(open, partOf(open, prompt, { ids: promptIds.slice(0, firstRow), start: 0 }));
  }
  const logits: Float32Array[] = [];
  const norms: Float32Array[] = [];
  for (const [index, id] of promptIds.slice(firstRow).entries()) {
    const part = partOf(open, prompt, { ids: [id], start: firstRow + index });
    const pass = await run(open, part, (stage) => stage === "norm");
    logits.push(pass.logits);
    norms.push(pass.stages.get("norm")?.data ?? new Float32Array());
  }
  return { logits, norms };
}

/** Keys and values that a picture gives a cross-attention layer, `[numStoredTokens, heads · size]`. */
export async function readPictureStates(
  { model: { backend } }: OpenModel,
  states: PictureStates,
  layerIndex: number,
): Promise<{ readonly key: Float32Array; readonly value: Float32Array }> {
  using graph = backend.newGraph({ kind: "picture-states", maxNodes: 16 });
  const { key, value } = states.layer(layerIndex);
  const [keys = new Float32Array(), values = new Float32Array()] = await graph.compute([
    copyNow(graph, key),
    copyNow(graph, value),
  ]);
  return { key: keys, value: values };
}
