/** What a model would take, as `launch --estimate` prints it. */
import type { LaunchPlan } from "../../platform.ts";
import { showBytes } from "./quantities.ts";
import { renderTable } from "./table.ts";

/** @returns lines that end in a line feed */
export function renderMemory(plan: LaunchPlan): string {
  const { memory } = plan;
  if (memory === undefined) {
    return `How much memory ${plan.model.modelName} takes is not known before its files are here.\n`;
  }
  const { contextLength, numSequences, kvBytesPerToken: perToken, parts } = memory;
  const sequences = numSequences === 1 ? "1 sequence" : `${numSequences} sequences`;
  const notes: Readonly<Record<string, string>> = {
    "KV cache": `${sequences} of ${grouped(contextLength)} tokens, ${showBytes(perToken)} a token, ${memory.dtype}`,
  };
  const rows = parts.map(({ what, bytes }) => [what, showBytes(bytes), notes[what] ?? ""]);
  const free =
    memory.device === "this machine"
      ? `of ${showBytes(memory.availableBytes)} that are free`
      : `of ${showBytes(memory.availableBytes)} on ${memory.device}`;
  const placed = (memory.placed ?? []).filter(({ device }) => device !== "cpu");
  const onCards = placed.map(
    (part) => `${part.device}, ${part.name}: ${describePart(part)}, ${showPlaced(part)}.`,
  );
  const table = renderTable(
    ["What", "Memory", ""],
    [...rows, ["all together", showBytes(memory.totalBytes), free]],
  );
  return `${describeModel(plan)}\n\n${table}\n${[...onCards, ...verdictLines(plan), ...cardLines(plan)].join("\n")}\n`;
}

type Placed = NonNullable<NonNullable<LaunchPlan["memory"]>["placed"]>[number];

/** `24 layers, output head, vision tower`. */
export function describePart({ numLayers, hasHead, hasTower }: Placed): string {
  return [
    ...(numLayers > 0 ? [`${numLayers} ${numLayers === 1 ? "layer" : "layers"}`] : []),
    ...(hasHead ? ["output head"] : []),
    ...(hasTower ? ["vision tower"] : []),
  ].join(", ");
}

/** `9.1 GB of 23.5 GB that are free there`. */
export function showPlaced({ bytes, freeBytes }: Placed): string {
  return `${showBytes(bytes)} of ${showBytes(freeBytes)} that are free there`;
}

/** `llama-3.2-vision, 11 billion parameters, pytorch, none`. */
export function describeModel({ model, quantization, shape }: LaunchPlan): string {
  const { modelName, size, format } = model;
  const billions = size ?? (shape === undefined ? undefined : shape.numParameters / 1e9);
  const parameters = billions === undefined ? [] : [`${showBillions(billions)} parameters`];
  return [modelName, ...parameters, format, `quantization ${quantization}`].join(", ");
}

function showBillions(billions: number): string {
  const [count, unit] = billions < 0.1 ? [billions * 1_000, "million"] : [billions, "billion"];
  return `${Number(count.toPrecision(2))} ${unit}`;
}

function verdictLines({ memory }: LaunchPlan): string[] {
  if (memory === undefined) return [];
  const { verdict, largestContext, nearest } = memory;
  const what = {
    fits: `It fits. The largest context for one sequence is ${grouped(largestContext)} tokens.`,
    "from-disk":
      "It would run, but very slowly: the weights do not stay in memory, and are read from disk again for every token.",
    "too-large": "It does not fit.",
  }[verdict];
  return nearest === undefined ? [what] : [what, `What would fit: ${nearest}`];
}

function cardLines({ cards, memory }: LaunchPlan): string[] {
  if (cards.length === 0 || memory?.device !== "this machine") return [];
  const layouts = cards.map(
    ({ numCards, cardBytes }) => `${numCards} × ${Math.round(cardBytes / 1e9)} GB`,
  );
  return [`On graphics cards, with vLLM, it would need ${layouts.join(" or ")}.`];
}

const grouped = (count: number): string => count.toLocaleString("en-US");
