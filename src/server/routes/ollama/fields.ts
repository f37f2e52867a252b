/** What of Ollama's fields this version does not do. */
import type { UnsupportedFields } from "../../known-fields.ts";

const isEmpty = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
const isOff = (value: unknown): boolean => value === false || value === "";

const unsupportedGenerating: UnsupportedFields = {
  think: isOff,
};

export const unsupportedByChat: UnsupportedFields = { ...unsupportedGenerating, tools: isEmpty };

export const unsupportedByGenerate: UnsupportedFields = {
  ...unsupportedGenerating,
  suffix: isEmpty,
  template: isEmpty,
  context: isEmpty,
  width: () => false,
  height: () => false,
  steps: () => false,
};

export const unsupportedByMessages: UnsupportedFields = {
  tool_calls: isEmpty,
  tool_name: isEmpty,
  tool_call_id: isEmpty,
  thinking: isEmpty,
};

/** Ways to choose a token that are not ours; what they say when they are off. */
export const unsupportedOptions: UnsupportedFields = {
  tfs_z: (value) => value === 1,
  typical_p: (value) => value === 1,
  mirostat: (value) => value === 0,
  num_keep: (value) => value === 0 || value === -1,
  penalize_newline: (value) => value === true,
  vocab_only: (value) => value === false,
};
