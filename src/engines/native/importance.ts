/**
 * An importance matrix: for each column of a projection's weight the mean square of what it was
 * multiplied with over some texts. Errors in columns that matter are made smaller.
 *
 * @see llama.cpp `tools/imatrix`, the GGUF form: `NAME.in_sum2` and `NAME.counts`
 */
import { PlatformError } from "../../base/errors.ts";
import { readTensorF32 } from "../../formats/convert.ts";
import { openGguf } from "../../formats/gguf.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import { ollamaName } from "../../models/mllama/ollama-names.ts";

const SUMS = ".in_sum2";
const COUNTS = ".counts";

/** By the names of the published files; a tensor that the texts did not reach has none. */
export type Importance = ReadonlyMap<string, Float32Array>;

/**
 * @param tensors of the checkpoint
 * @throws PlatformError `corrupt_model_file` for another kind of file, or of another model
 */
export async function readImportance(
  path: string,
  tensors: ReadonlyMap<string, TensorEntry>,
): Promise<Importance> {
  const file = await openGguf(path, (key) => key === "general.type");
  const type = file.metadata.get("general.type")?.value;
  if (type !== "imatrix") throw corrupt(path, "it holds no importance matrix (general.type)");
  const importance = new Map<string, Float32Array>();
  for (const [name, { shape }] of tensors) {
    if (!name.startsWith("language_model.")) continue;
    // Our own names, or those that llama.cpp has for such a tensor.
    const known = [name, ollamaName(name, "single")];
    const stored = known.find((candidate) => file.tensors.has(candidate + SUMS));
    const sums = file.tensors.get(stored + SUMS);
    if (sums === undefined) continue;
    const columns = await meanSquares(sums, file.tensors.get(stored + COUNTS));
    if (columns === undefined) continue;
    if (columns.length !== shape.at(-1)) {
      throw corrupt(
        path,
        `${stored} has ${columns.length} columns in it and ${shape.at(-1)} in the model: it was made for another one`,
      );
    }
    importance.set(name, columns);
  }
  if (importance.size === 0) throw corrupt(path, "it names no tensor of this model");
  return importance;
}

async function meanSquares(
  sums: TensorEntry,
  counts: TensorEntry | undefined,
): Promise<Float32Array | undefined> {
  const [count = 1] = counts === undefined ? [] : await readTensorF32(counts);
  const values = await readTensorF32(sums);
  const isUsable = count > 0 && values.every((value) => value >= 0 && Number.isFinite(value));
  return isUsable ? values.map((value) => value / count) : undefined;
}

function corrupt(path: string, what: string): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `The importance matrix ${path} cannot be used: ${what}. Leave --imatrix out, or take one that llama.cpp made for this model.`,
    { details: { param: "imatrix" } },
  );
}
