/**
 * What of a request this version does not do: known fields are refused by name unless they ask for
 * nothing, unknown ones are listed in the reply's `x-ignored-fields`. Nothing is dropped in silence.
 */
import { PlatformError } from "../base/errors.ts";

/** A field we know and cannot honour → whether a value asks for nothing. */
export type UnsupportedFields = Readonly<Record<string, (value: unknown) => boolean>>;

const isEmpty = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
const is =
  (...allowed: readonly unknown[]) =>
  (value: unknown): boolean =>
    allowed.includes(value);
const isTextOnly = (value: unknown): boolean =>
  Array.isArray(value) && value.every((modality) => modality === "text");

/** Of both generating routes. */
const unsupportedSampling: UnsupportedFields = {
  prompt_logprobs: is(0),
  lora_name: isEmpty,
  guided_decoding_backend: isEmpty,
  guided_whitespace_pattern: isEmpty,
  service_tier: is("auto", "default"),
  verbosity: is("medium"),
  reasoning_effort: is("none"),
};

export const unsupportedByChat: UnsupportedFields = {
  ...unsupportedSampling,
  best_of: is(1),
  echo: is(false),
  modalities: isTextOnly,
  audio: () => false,
  prediction: () => false,
  web_search_options: () => false,
  chat_template: isEmpty,
  // What Xinference's client sends when it is told not to think, which no model here does.
  chat_template_kwargs: (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((one) => one === false),
  mm_processor_kwargs: isEmpty,
  images: isEmpty,
};

export const unsupportedByCompletions: UnsupportedFields = {
  ...unsupportedSampling,
  suffix: isEmpty,
};

/** Options of a launch that change nothing when they say this. */
export const unsupportedByLaunch: UnsupportedFields = {
  model_type: is("LLM"),
  n_worker: is(1),
  peft_model_config: () => false,
  quantization_config: () => false,
  envs: isEmpty,
  enable_thinking: is(false),
  // Clients send true without being asked. No checkpoint's code is ever run here.
  trust_remote_code: is(true, false),
};

/**
 * @returns names of the fields that nothing here reads
 * @throws PlatformError `unsupported_parameter`
 */
export function checkFields(
  body: Readonly<Record<string, unknown>>,
  { known, unsupported }: { known: readonly string[]; unsupported: UnsupportedFields },
): string[] {
  const ignored: string[] = [];
  for (const [field, value] of Object.entries(body)) {
    if (known.includes(field)) continue;
    const asksForNothing = Object.hasOwn(unsupported, field) ? unsupported[field] : undefined;
    if (asksForNothing === undefined) ignored.push(field);
    else if (value !== null && !asksForNothing(value)) throw unsupportedField(field);
  }
  return ignored;
}

/** The refusal of a field that this version cannot honour. */
export function unsupportedField(field: string): PlatformError {
  return new PlatformError(
    "unsupported_parameter",
    `This version does not support "${field}". Leave it out.`,
    { details: { param: field } },
  );
}

/** As a header: at most 32 names, of plain characters. */
export function ignoredFieldsHeader(fields: readonly string[]): string {
  return fields
    .filter((field) => /^[\w.[\]-]{1,64}$/.test(field))
    .slice(0, 32)
    .join(", ");
}
