/** A JSON file, or a checkpoint directory alone → a model that can be launched by name. */
import { basename } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { type CheckpointFacts, readCheckpointFacts } from "../engines/model-shape.ts";
import { defaultLanguages, type ModelFamily } from "../registry/model-family.ts";
import { parseFamilyText, type Registry } from "../registry/registry.ts";
import { formatOf } from "./local-gguf.ts";

export type Registered = {
  readonly family: ModelFamily;
  /** Fields of the file that say something and are not used. */
  readonly unused: readonly string[];
};

/** Sizes that people call by a rounder number than they have. */
const knownSizes = [11, 90] as const;
const NEAR = 0.05;

/**
 * Register what a file in Xinference's form describes. A checkpoint on this machine is looked into
 * first: what could not be launched is not registered.
 *
 * @throws PlatformError `invalid_request`, `model_already_registered`, `forbidden`, `model_not_found`,
 *   `corrupt_model_file`
 */
export async function registerFile(
  registry: Registry,
  text: string,
  options: { readonly persist?: boolean } = {},
): Promise<Registered> {
  const { family, unused } = parseFamilyText(text, { isBuiltin: false });
  for (const { directory, size } of family.specs) {
    if (directory === undefined) continue;
    const { shape } = await readCheckpointFacts(await registry.checkDirectory(directory));
    const actual = shape.numParameters / 1e9;
    if (actual > size * 1.5 || actual < size / 1.5) {
      throw new PlatformError(
        "invalid_request",
        `The registration says ${size} billion parameters, and the checkpoint has ${actual.toPrecision(2)}. Correct "model_size_in_billions".`,
        { details: { param: "model_size_in_billions" } },
      );
    }
  }
  return { family: await registry.register(family, options), unused };
}

/**
 * Register a checkpoint, with what it says about itself.
 *
 * @param directory absolute
 * @param name the directory's own when absent
 * @throws PlatformError as `registerFile`
 */
export async function registerDirectory(
  registry: Registry,
  directory: string,
  name: string | undefined,
): Promise<Registered> {
  const real = await registry.checkDirectory(directory);
  const facts = await readCheckpointFacts(real);
  const format = await formatOf(real);
  const family = await registry.register(
    describe(facts, { directory: real, format, modelName: name ?? basename(directory) }),
  );
  return { family, unused: [] };
}

function describe(
  { shape, hasChatTemplate }: CheckpointFacts,
  {
    directory,
    format,
    modelName,
  }: { readonly directory: string; readonly format: string; readonly modelName: string },
): ModelFamily {
  return {
    modelName,
    isBuiltin: false,
    description: "",
    contextLength: shape.text.maxPositions,
    languages: defaultLanguages,
    abilities: hasChatTemplate ? ["chat", "vision", "tools"] : ["generate", "vision"],
    basedOn: undefined,
    licence: undefined,
    specs: [
      {
        format,
        size: sizeInBillions(shape.numParameters),
        quantizations: ["none"],
        sources: [],
        directory,
        config: undefined,
      },
    ],
  };
}

function sizeInBillions(numParameters: number): number {
  const billions = numParameters / 1e9;
  const known = knownSizes.find((size) => Math.abs(billions - size) <= size * NEAR);
  return known ?? Number(billions.toPrecision(2));
}
