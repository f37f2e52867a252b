/** A name with an optional size, and what else was asked for → one spec of a family. Pure. */
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { parseSize } from "./family-file.ts";
import type { ModelFamily, ModelSpec } from "./model-family.ts";

export type SpecWish = {
  readonly size: number | string | undefined;
  readonly format: string | undefined;
};

/** `llama-3.2-vision:11b` → the family's name and the size; a name without a size stays as it is. */
export function splitSize(name: string): { readonly name: string; readonly size?: string } {
  const [, family, size] = /^(.+):(\d+(?:[._]\d+)?)b?$/i.exec(name) ?? [];
  return family === undefined || size === undefined ? { name } : { name: family, size };
}

/**
 * The spec of that size and format; of several, the first.
 *
 * @throws PlatformError `invalid_request` with the sizes or formats that there are
 */
export function selectSpec(family: ModelFamily, { size, format }: SpecWish): ModelSpec {
  const { modelName, specs } = family;
  const formats = unique(specs.map((spec) => spec.format));
  const ofFormat =
    format === undefined ? specs : specs.filter((spec) => spec.format === format.toLowerCase());
  if (ofFormat.length === 0 && format !== undefined) {
    throw refused(
      `${modelName} is not there as ${shown(format)}; its formats are ${formats.join(", ")}.${didYouMean(format, formats)}`,
      "model_format",
    );
  }
  const wanted = size === undefined ? undefined : parseSize(size);
  const found = size === undefined ? ofFormat[0] : ofFormat.find((spec) => spec.size === wanted);
  if (found !== undefined) return found;
  const sizes = unique(ofFormat.map((spec) => spec.size));
  const nearest =
    wanted === undefined
      ? undefined
      : sizes.toSorted((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted))[0];
  throw refused(
    `${modelName} has no size of ${shown(`${size}`)} billion parameters; its sizes are ${sizes.join(", ")}.${nearest === undefined ? "" : ` The nearest is ${nearest}.`}`,
    "model_size_in_billions",
  );
}

/**
 * @param choices quantizations that the engine can give this spec
 * @param quantization as typed; a shell leaves `${quantization}` empty or as it is
 * @throws PlatformError `invalid_request` with the choices and the nearest
 */
export function selectQuantization(
  modelName: string,
  quantization: string | undefined,
  choices: readonly string[],
): string {
  if (quantization === undefined) {
    return choices.includes("none") ? "none" : (choices[0] ?? "none");
  }
  const found = choices.find((choice) => choice === quantization.toLowerCase());
  if (found !== undefined) return found;
  const there = choices.join(", ");
  throw refused(
    quantization === "" || /^\$\{?\w*\}?$/.test(quantization)
      ? `--quantization has no value, since nothing was put in place of \${quantization}; for ${modelName} choose one of: ${there}.`
      : `${modelName} is not there in the quantization ${shown(quantization)}; choose one of: ${there}.${didYouMean(quantization, choices)}`,
    "quantization",
  );
}

function unique<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values)];
}

/** Short, and without what a terminal would obey. */
function shown(text: string): string {
  const start = text.slice(0, 40).replace(/[^\x20-\x7e]/g, "?");
  return `"${start}${text.length > 40 ? "…" : ""}"`;
}

function refused(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
