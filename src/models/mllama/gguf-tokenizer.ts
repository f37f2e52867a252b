/** Vocabulary and merges of a GGUF's metadata as a `tokenizer.json`. */
import { PlatformError } from "../../base/errors.ts";
import type { GgufFile } from "../../formats/gguf.ts";
import type { GgufScalar } from "../../formats/gguf-types.ts";
import { shown } from "../../formats/shown.ts";

type Metadata = GgufFile["metadata"];

/** Text is cut into words with this before merges are applied. @see llama.cpp, the pre-tokenizer `llama-bpe` */
const LLAMA_WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/** Names of that pattern; files from before they had names have none. */
const llamaPatterns: readonly unknown[] = [undefined, "default", "llama-bpe", "llama3", "llama-v3"];

/** `enum llama_token_type`. */
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

const IMAGE_TOKEN = "<|image|>";

/**
 * @param imageTokenId of the picture token, which older files leave out of the vocabulary
 * @throws PlatformError `corrupt_model_file`
 */
export function tokenizerOfGguf(metadata: Metadata, imageTokenId: number): unknown {
  requireLlamaTokenizer(metadata);
  const { vocab, added } = vocabularyOf(metadata, imageTokenId);
  const merges = listOf(metadata, "tokenizer.ggml.merges", isText);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added.map(({ id, content, special }) => ({ id, content, ...flags, special })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: { Regex: LLAMA_WORDS },
          behavior: "Isolated",
          invert: false,
        },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: true,
      vocab,
      merges: merges.map((merge) => pairOf(merge)),
    },
  };
}

function requireLlamaTokenizer(metadata: Metadata): void {
  const model = metadata.get("tokenizer.ggml.model")?.value;
  if (model !== "gpt2") {
    throw corrupt(
      `its tokenizer is ${shown(model ?? "missing")}; this family has gpt2's byte pairs`,
    );
  }
  const pattern = metadata.get("tokenizer.ggml.pre")?.value;
  if (!llamaPatterns.includes(pattern)) {
    throw corrupt(`its text is cut into words by ${shown(pattern)}; this family has llama-bpe`);
  }
}

type AddedToken = { readonly id: number; readonly content: string; readonly special: boolean };

/** The tokens that byte pairs make, and those that are added to them; a picture's is always among the latter. */
function vocabularyOf(
  metadata: Metadata,
  imageTokenId: number,
): { readonly vocab: Readonly<Record<string, number>>; readonly added: readonly AddedToken[] } {
  const tokens = listOf(metadata, "tokenizer.ggml.tokens", isText);
  const types = listOf(metadata, "tokenizer.ggml.token_type", isNumber);
  if (types.length !== tokens.length) {
    throw corrupt(`it has ${tokens.length} tokens and the types of ${types.length}`);
  }
  const vocab: Record<string, number> = Object.create(null);
  const added: AddedToken[] = [];
  for (const [id, token] of tokens.entries()) {
    const type = types[id];
    if (token === "" || type === UNUSED) continue;
    if (type === CONTROL || type === USER_DEFINED) {
      added.push({ id, content: token, special: type === CONTROL });
    } else {
      vocab[token] = id;
    }
  }
  if (!added.some(({ content }) => content === IMAGE_TOKEN)) {
    delete vocab[IMAGE_TOKEN];
    added.push({ id: imageTokenId, content: IMAGE_TOKEN, special: true });
  }
  return { vocab, added };
}

/** The text of a token, such as the one that begins every prompt. */
export function tokenText(metadata: Metadata, key: string): string | undefined {
  const id = metadata.get(key)?.value;
  const tokens = metadata.get("tokenizer.ggml.tokens");
  if (typeof id !== "number" || tokens?.type !== "array") return undefined;
  const token = tokens.value[id];
  return typeof token === "string" ? token : undefined;
}

/** A space separates; byte-level tokens contain none. */
function pairOf(merge: string): [string, string] {
  const space = merge.indexOf(" ", 1);
  if (space < 0 || space === merge.length - 1) {
    throw corrupt(`its merge ${shown(merge)} is no pair of tokens`);
  }
  return [merge.slice(0, space), merge.slice(space + 1)];
}

function listOf<Item extends GgufScalar>(
  metadata: Metadata,
  key: string,
  isItem: (item: GgufScalar) => item is Item,
): readonly Item[] {
  const value = metadata.get(key);
  const items = value?.type === "array" ? value.value.filter(isItem) : [];
  if (value?.type === "array" && items.length === value.value.length) return items;
  throw corrupt(`its ${key} ${value === undefined ? "is missing" : "is no list of that kind"}`);
}

const isText = (item: GgufScalar): item is string => typeof item === "string";
const isNumber = (item: GgufScalar): item is number => typeof item === "number";

function corrupt(what: string): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `The GGUF file cannot be used: ${what}. Take another file.`,
  );
}
