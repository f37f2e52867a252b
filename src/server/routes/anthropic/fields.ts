/** What of Anthropic's fields this version does not do. */
import { type HintFields, is, isEmpty, never, type UnsupportedFields } from "../../known-fields.ts";

const hasType =
  (...types: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    types.some((type) => type === value.type);

export const unsupportedByMessages: UnsupportedFields = {
  // A model that may think as much as it likes may also not think.
  thinking: hasType("disabled", "adaptive"),
  service_tier: is("auto", "standard_only"),
  speed: is("standard"),
  inference_geo: is("global"),
  container: isEmpty,
  mcp_servers: isEmpty,
  context_management: isEmpty,
  compaction: isEmpty,
  thread: never,
  fallback_credit_token: isEmpty,
};

export const messagesHints: HintFields = {
  cache_control: isEmpty,
  diagnostics: isEmpty,
  fallbacks: isEmpty,
  billing_policy: isEmpty,
};

export const outputHints: HintFields = { effort: is("high") };
