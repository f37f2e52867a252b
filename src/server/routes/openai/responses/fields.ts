/** What of the fields of `POST /v1/responses` this version does not do. */
import {
  type HintFields,
  is,
  isEmpty,
  never,
  openaiHints,
  type UnsupportedFields,
} from "../../../known-fields.ts";

/** Every value asks for nothing: no reasoning, or as little as there is. */
const isNoReasoning = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.entries(value).every(
    ([key, setting]) => setting === null || (key === "effort" && setting === "none"),
  );

export const unsupportedByResponses: UnsupportedFields = {
  // Counts those of the server's own tools, of which there are none.
  max_tool_calls: never,
  reasoning: isNoReasoning,
  conversation: never,
  context_management: isEmpty,
  moderation: isEmpty,
  prompt: never,
  service_tier: is("auto", "default"),
  n: is(1),
  stop: isEmpty,
  response_format: never,
  messages: never,
};

const { store: _, ...hints } = openaiHints;
export const responsesHints: HintFields = hints;

export const textHints: HintFields = { verbosity: is("medium") };
export const streamHints: HintFields = { include_obfuscation: is(false) };

/** Of `GET /v1/responses/{id}`, whose answer is whole. */
export const unsupportedByRetrieval: UnsupportedFields = {
  stream: is("false", "0"),
  starting_after: never,
};
export const retrievalHints: HintFields = { include_obfuscation: is("false") };
