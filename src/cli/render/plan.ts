/** What a launch would do, as `launch --dry-run` prints it. */
import type { LaunchPlan } from "../../platform.ts";
import { describeModel, describePart, showPlaced } from "./memory.ts";
import { showBytes } from "./quantities.ts";

/** @returns lines that end in a line feed */
export function renderPlan(
  plan: LaunchPlan,
  { uid, isEngineChosen }: { readonly uid: string | undefined; readonly isEngineChosen: boolean },
): string {
  const { model, engine, memory } = plan;
  const rows = [
    ["model", describeModel(plan)],
    ["uid", uid ?? model.modelName],
    ["engine", isEngineChosen ? `${engine.kind}, the best that runs here` : engine.kind],
    ...(model.source === undefined ? [] : [["from", model.source]]),
    ["files", model.directory ?? whereElse(plan)],
    ...(memory === undefined
      ? [["memory", "not known before the files are here"]]
      : [
          [
            "context",
            `${memory.contextLength} tokens, for ${memory.numSequences} of such length at once`,
          ],
          ...(memory.placed ?? [])
            .filter(({ device }) => device !== "cpu")
            .map((part) => [part.device, `${describePart(part)}: ${showPlaced(part)}`]),
          [
            "memory",
            `${showBytes(memory.totalBytes)} of ${showBytes(memory.availableBytes)} that are free, ${verdicts[memory.verdict]}`,
          ],
        ]),
  ];
  return rows.map(([name = "", value]) => `${name.padEnd(8)} ${value}\n`).join("");
}

const verdicts = {
  fits: "so it fits",
  "from-disk": "so its weights would be read from disk for every token",
  "too-large": "so it does not fit",
} as const;

function whereElse({ model, shape }: LaunchPlan): string {
  const places = (model.origin?.spec.sources ?? []).map(({ hub, modelId }) => `${hub} ${modelId}`);
  const size = shape === undefined ? "" : `, ${showBytes(shape.fileBytes)}`;
  return `not on this machine; ${places.join(" or ")}${size}`;
}
