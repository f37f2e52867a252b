/**
 * What a model's makers advise for the settings a request leaves out: `generation_config.json`.
 *
 * Without `do_sample: true` that is greedy decoding, as the Transformers library reads the file.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import type { SamplingParams } from "../generation/request.ts";

export type DefaultSampling = Pick<
  SamplingParams,
  "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty"
>;

const neutral: DefaultSampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
};

/** A generation config has a dozen short lines. */
const maxFileBytes = 1024 * 1024;

const GenerationConfig = z.looseObject({
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_k: z.int().min(0).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).max(10).nullish(),
});

/**
 * @throws PlatformError `corrupt_model_file`
 */
export async function readDefaultSampling(directory: string): Promise<DefaultSampling> {
  const text = await readSmallFile(join(directory, "generation_config.json"));
  if (text === undefined) return neutral;
  const config = GenerationConfig.safeParse(parseJson(text));
  if (!config.success) {
    const field = config.error.issues[0]?.path.join(".") ?? "";
    throw corrupt(
      `generation_config.json of ${directory} is not usable${field === "" ? "" : `: "${field}" is out of range`}. Mend the file or remove it.`,
    );
  }
  return fromGenerationConfig(config.data);
}

function fromGenerationConfig(config: z.infer<typeof GenerationConfig>): DefaultSampling {
  const repetitionPenalty = config.repetition_penalty ?? neutral.repetitionPenalty;
  if (config.do_sample !== true) return { ...neutral, repetitionPenalty };
  return {
    temperature: config.temperature ?? 1,
    topK: config.top_k ?? neutral.topK,
    topP: config.top_p ?? neutral.topP,
    minP: config.min_p ?? neutral.minP,
    repetitionPenalty,
  };
}

async function readSmallFile(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) return undefined;
  if (info.size > maxFileBytes) {
    throw corrupt(
      `${path} has ${info.size} bytes; a generation config has at most ${maxFileBytes}.`,
    );
  }
  return await readFile(path, "utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function corrupt(message: string): PlatformError {
  return new PlatformError("corrupt_model_file", message);
}
