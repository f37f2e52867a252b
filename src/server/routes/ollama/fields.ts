/** What of Ollama's fields this version does not do. */
import { type HintFields, is, isEmpty, never, type UnsupportedFields } from "../../known-fields.ts";

const isOff = (value: unknown): boolean => value === false || value === "";

const unsupportedGenerating: UnsupportedFields = {
  think: isOff,
};

export const unsupportedByChat: UnsupportedFields = unsupportedGenerating;

export const unsupportedByGenerate: UnsupportedFields = {
  ...unsupportedGenerating,
  suffix: isEmpty,
  template: isEmpty,
  context: isEmpty,
  width: never,
  height: never,
  steps: never,
};

export const unsupportedByMessages: UnsupportedFields = {
  thinking: isEmpty,
};

/** What Ollama's own server is told of a prompt that does not fit; here it is refused. */
export const generatingHints: HintFields = { truncate: is(false), shift: is(false) };

export const pullHints: HintFields = { insecure: is(false) };

/** They change what Ollama shows, and nothing of a model. */
export const unsupportedByShow: UnsupportedFields = {
  system: isEmpty,
  template: isEmpty,
  options: isEmpty,
};
export const showHints: HintFields = { verbose: is(false) };

/** Ways to choose a token that are not ours; what they say when they are off. */
export const unsupportedOptions: UnsupportedFields = {
  tfs_z: (value) => value === 1,
  typical_p: (value) => value === 1,
  mirostat: (value) => value === 0,
  num_keep: (value) => value === 0 || value === -1,
  penalize_newline: (value) => value === true,
  vocab_only: (value) => value === false,
};

/** How a model is loaded is decided at its launch; the last two tune what is refused above. */
export const optionHints: HintFields = {
  numa: is(false),
  num_batch: never,
  num_gpu: never,
  main_gpu: is(0),
  low_vram: is(false),
  f16_kv: never,
  logits_all: is(false),
  use_mmap: never,
  use_mlock: is(false),
  embedding_only: is(false),
  num_thread: is(0),
  mirostat_tau: never,
  mirostat_eta: never,
};
