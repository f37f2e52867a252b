/** Runs the text model on a golden case: greedily with the cache, or once with every stage read. */
import type { Tensor } from "../../src/ggml/tensor.ts";
import type { PictureStates } from "../../src/models/mllama/picture-states.ts";
import { type TextPart, textForward } from "../../src/models/mllama/text-model.ts";
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
    wantsLogits: true,
  };
}

async function run(
  open: OpenModel,
  part: TextPart,
  onStage?: (name: string, rows: Tensor) => Tensor | undefined,
): Promise<{ logits: Float32Array; stages: ReadonlyMap<string, Float32Array> }> {
  const { backend, config, weights, switches, inverseFrequencies } = open.model;
  using graph = backend.newGraph({ kind: "text-probe", maxNodes: 4096 });
  const kept: [string, Tensor][] = [];
  const logits = textForward(
    graph,
    config,
    weights.text,
    {
      parts: [part],
      kvCache: open.kvCache,
      inverseFrequencies,
      maskedRows: switches.maskedRows,
    },
    (name, rows) => {
      if (onStage !== undefined) {
        const copy = graph.scale(rows, 1);
        // Computed here and now: a later layer writes into the same rows.
        graph.require(copy);
        kept.push([name, copy]);
      }
    },
  );
  if (logits === undefined) throw new Error("no logits");
  const [last, ...stages] = await graph.compute([logits, ...kept.map(([, tensor]) => tensor)]);
  return {
    logits: last ?? new Float32Array(),
    stages: new Map(kept.map(([name], index) => [name, stages[index] ?? new Float32Array()])),
  };
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
): Promise<ReadonlyMap<string, Float32Array>> {
  const part = partOf(open, prompt, { ids: prompt.golden.promptIds, start: 0 });
  const { stages } = await run(open, part, (_name, rows) => rows);
  return stages;
}
