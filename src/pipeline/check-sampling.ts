import { PlatformError } from "../base/errors.ts";
import type { SamplingParams } from "../generation/request.ts";

type Range = {
  readonly least: number;
  readonly most: number;
  readonly isInteger?: boolean;
  /** `least` itself is refused. */
  readonly isOpenBelow?: boolean;
};

type NumericField = Exclude<
  keyof SamplingParams,
  "stop" | "fitMaxTokens" | "logitBias" | "ignoreEos" | "stopTokenIds"
>;

/** The name in API and command line, and what it may be. */
const fields: Readonly<Record<NumericField, { readonly name: string } & Range>> = {
  minTokens: { name: "min_tokens", least: 0, most: 2 ** 31 - 1, isInteger: true },
  maxTokens: { name: "max_tokens", least: 0, most: 2 ** 31 - 1, isInteger: true },
  temperature: { name: "temperature", least: 0, most: 2 },
  topK: { name: "top_k", least: 0, most: 2 ** 31 - 1, isInteger: true },
  topP: { name: "top_p", least: 0, most: 1, isOpenBelow: true },
  minP: { name: "min_p", least: 0, most: 1 },
  presencePenalty: { name: "presence_penalty", least: -2, most: 2 },
  frequencyPenalty: { name: "frequency_penalty", least: -2, most: 2 },
  repetitionPenalty: { name: "repetition_penalty", least: 0, most: 10, isOpenBelow: true },
  seed: { name: "seed", least: -(2 ** 63), most: 2 ** 63 - 1024, isInteger: true },
  logprobs: { name: "logprobs", least: 0, most: 20, isInteger: true },
};

const stopLimits = { maxStops: 4, maxLength: 256 } as const;

/**
 * Refuse settings outside their ranges, before anything is narrowed to 32 bits.
 *
 * @throws PlatformError `invalid_request`, with the field's name and value
 */
export function checkSamplingParams(params: SamplingParams): void {
  for (const [key, field] of Object.entries(fields) as [NumericField, (typeof fields)["seed"]][]) {
    const value = params[key];
    if (value !== undefined) checkNumber(value, field);
  }
  checkStops(params.stop);
  const { maxTokens, minTokens = 0, logitBias = [] } = params;
  if (maxTokens !== undefined && minTokens > maxTokens) {
    throw refused("min_tokens", `min_tokens is ${minTokens}; max_tokens, ${maxTokens}, is less.`);
  }
  for (const { bias } of logitBias) {
    if (bias >= -100 && bias <= 100) continue;
    throw refused("logit_bias", `logit_bias holds ${bias}; it must be a number from -100 to 100.`);
  }
}

function checkNumber(value: number, { name, ...range }: { readonly name: string } & Range): void {
  const { least, most, isInteger = false, isOpenBelow = false } = range;
  const isInside = value >= least && value <= most && !(isOpenBelow && value === least);
  if (Number.isFinite(value) && isInside && (!isInteger || Number.isInteger(value))) return;
  const kind = isInteger ? "a whole number" : "a number";
  const lower = isOpenBelow ? `above ${least}` : `from ${least}`;
  throw refused(name, `${name} is ${value}; it must be ${kind} ${lower} to ${most}.`);
}

function checkStops(stops: readonly string[]): void {
  const { maxStops, maxLength } = stopLimits;
  if (stops.length > maxStops) {
    throw refused("stop", `stop has ${stops.length} strings; at most ${maxStops} are accepted.`);
  }
  for (const stop of stops) {
    if (stop.length === 0 || stop.length > maxLength) {
      throw refused(
        "stop",
        `A stop string has ${stop.length} characters; it must have 1 to ${maxLength}.`,
      );
    }
    if (!stop.isWellFormed()) throw refused("stop", "A stop string holds half a character.");
  }
}

function refused(param: string, message: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
