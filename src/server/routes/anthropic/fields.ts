/** What of Anthropic's fields this version does not do. */
import { type HintFields, is, isEmpty, never, type UnsupportedFields } from "../../known-fields.ts";

export const unsupportedByMessages: UnsupportedFields = {
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
