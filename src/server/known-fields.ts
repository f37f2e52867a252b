/**
 * What becomes of a request's fields: those that are read, those that are known and refused by name unless
 * they ask for nothing, those that are known and change no answer here, and those that nobody knows. The last
 * two are listed in the reply's `x-ignored-fields`: nothing is dropped in silence.
 */
import type { FastifyReply } from "fastify";
import { PlatformError } from "../base/errors.ts";

/** A field → whether a value asks for nothing. */
type FieldsByValue = Readonly<Record<string, (value: unknown) => boolean>>;

/** Fields we know and cannot honour. */
export type UnsupportedFields = FieldsByValue;

/**
 * Fields we know that leave every answer as it is: where it is computed, kept or counted elsewhere. They are
 * taken, since clients send them to every server, and listed when they ask for something.
 */
export type HintFields = FieldsByValue;

export const isEmpty = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
export const is =
  (...allowed: readonly unknown[]) =>
  (value: unknown): boolean =>
    allowed.includes(value);
export const never = (): boolean => false;
const isTextOnly = (value: unknown): boolean =>
  Array.isArray(value) && value.every((modality) => modality === "text");

/** Of every dialect of OpenAI's. */
export const openaiHints: HintFields = {
  store: is(false),
  safety_identifier: isEmpty,
  prompt_cache_key: isEmpty,
  prompt_cache_options: isEmpty,
  prompt_cache_retention: isEmpty,
};

/** Of both generating routes. */
export const generatingHints: HintFields = {
  ...openaiHints,
  verbosity: is("medium"),
  prediction: isEmpty,
  stream_interval: is(1),
  spaces_between_special_tokens: is(true),
};

/** Of both generating routes: OpenAI's, then Xinference's and vLLM's. */
const unsupportedSampling: UnsupportedFields = {
  service_tier: is("auto", "default"),
  reasoning_effort: is("none"),
  moderation: isEmpty,
  prompt_logprobs: is(0),
  lora_name: isEmpty,
  guided_decoding_backend: isEmpty,
  guided_whitespace_pattern: isEmpty,
  extra_body: isEmpty,
  skip_special_tokens: is(true),
  include_stop_str_in_output: is(false),
  add_special_tokens: is(false),
  use_beam_search: is(false),
  length_penalty: is(1),
  allowed_token_ids: isEmpty,
  bad_words: isEmpty,
  truncate_prompt_tokens: is(-1),
  priority: is(0),
  logits_processors: isEmpty,
  cache_salt: isEmpty,
  mm_processor_kwargs: isEmpty,
  media_io_kwargs: isEmpty,
};

export const unsupportedByChat: UnsupportedFields = {
  ...unsupportedSampling,
  best_of: is(1),
  echo: is(false),
  modalities: isTextOnly,
  audio: never,
  web_search_options: never,
  chat_template: isEmpty,
  // What Xinference's client sends when it is told not to think, which no model here does.
  chat_template_kwargs: (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((one) => one === false),
  enable_thinking: is(false),
  add_generation_prompt: is(true),
  continue_final_message: is(false),
  documents: isEmpty,
  images: isEmpty,
};

export const unsupportedByCompletions: UnsupportedFields = {
  ...unsupportedSampling,
  suffix: isEmpty,
  // A plain prompt has no place for them; a conversation has.
  tools: isEmpty,
  tool_choice: is("none", "auto"),
  functions: isEmpty,
  function_call: is("none", "auto"),
};

/** Options of a launch that change nothing when they say this. */
export const unsupportedByLaunch: UnsupportedFields = {
  model_type: is("LLM"),
  n_worker: is(1),
  peft_model_config: never,
  quantization_config: never,
  envs: isEmpty,
  enable_thinking: is(false),
  // Clients send true without being asked. No checkpoint's code is ever run here.
  trust_remote_code: is(true, false),
};

/**
 * @returns names of the fields that nothing here depends on
 * @throws PlatformError `unsupported_parameter`
 */
export function checkFields(
  body: Readonly<Record<string, unknown>>,
  {
    known,
    unsupported = {},
    hints = {},
  }: {
    readonly known: readonly string[];
    readonly unsupported?: UnsupportedFields;
    readonly hints?: HintFields;
  },
): string[] {
  const ignored: string[] = [];
  for (const [field, value] of Object.entries(body)) {
    if (known.includes(field)) continue;
    const isRefused = Object.hasOwn(unsupported, field);
    const asksForNothing = isRefused
      ? unsupported[field]
      : Object.hasOwn(hints, field)
        ? hints[field]
        : undefined;
    if (asksForNothing !== undefined && (value === null || asksForNothing(value))) continue;
    if (isRefused) throw unsupportedField(field);
    ignored.push(field);
  }
  return ignored;
}

/** Members of an object further inside that nothing here depends on, with where it stands before them. */
export function ignoredIn(
  value: object | null | undefined,
  where: string,
  fields: { readonly known: readonly string[]; readonly hints?: HintFields },
): string[] {
  return checkFields((value ?? {}) as Readonly<Record<string, unknown>>, fields).map(
    (field) => `${where}.${field}`,
  );
}

/** The refusal of a field that this version cannot honour. */
export function unsupportedField(field: string): PlatformError {
  return new PlatformError(
    "unsupported_parameter",
    `This version does not support "${field}". Leave it out.`,
    { details: { param: field } },
  );
}

/** Tell in a reply's head which fields nothing depends on. */
export function listIgnored(reply: FastifyReply, fields: readonly string[]): void {
  const header = ignoredFieldsHeader(fields);
  if (header !== "") reply.header("x-ignored-fields", header);
}

/** As a header: at most 32 names, of plain characters. */
export function ignoredFieldsHeader(fields: readonly string[]): string {
  return fields
    .filter((field) => /^[\w.[\]-]{1,64}$/.test(field))
    .slice(0, 32)
    .join(", ");
}
