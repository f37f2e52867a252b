/** What of the fields of `POST /v1/responses` this version does not do. */
import type { UnsupportedFields } from "../../../known-fields.ts";

const isEmpty = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);

/** Every value asks for nothing: no reasoning, or as little as there is. */
const isNoReasoning = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.entries(value).every(
    ([key, setting]) => setting === null || (key === "effort" && setting === "none"),
  );

export const unsupportedByResponses: UnsupportedFields = {
  // Counts those of the server's own tools, of which there are none.
  max_tool_calls: () => false,
  reasoning: isNoReasoning,
  conversation: () => false,
  context_management: isEmpty,
  moderation: isEmpty,
  prompt: () => false,
  service_tier: (value) => value === "auto" || value === "default",
  n: (value) => value === 1,
  stop: isEmpty,
  response_format: () => false,
  messages: () => false,
};
