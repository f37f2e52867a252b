/** What of Anthropic's fields this version does not do. */
import type { UnsupportedFields } from "../../known-fields.ts";

const isEmpty = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
const hasType =
  (...types: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    types.some((type) => type === value.type);

export const unsupportedByMessages: UnsupportedFields = {
  tools: isEmpty,
  tool_choice: hasType("auto", "none"),
  thinking: hasType("disabled"),
  output_config: isEmpty,
  output_format: isEmpty,
  container: isEmpty,
  mcp_servers: isEmpty,
  context_management: isEmpty,
};
