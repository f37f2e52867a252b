/**
 * A byte-level BPE tokenizer of the family's size, whose vocabulary follows from a rule. Pure.
 *
 * Ids 0 to 255 are the bytes; then every pair of bytes; then pairs of a pair and a byte, until there are 128,000. Bytes
 * that are frequent in English come first, so that these longer tokens are made of them. The 256 special tokens
 * and the image token have the family's names and numbers.
 *
 * @see mllama.md §6.1
 */
import { NUM_TOKENS } from "./published-files.ts";

const NUM_PLAIN = 128_000;
const FREQUENT = " etaoinshrdlcumwfgypbvkjxqz0123456789.,";

const named: Readonly<Record<number, string>> = {
  128000: "begin_of_text",
  128001: "end_of_text",
  128002: "reserved_special_token_0",
  128003: "reserved_special_token_1",
  128004: "finetune_right_pad_id",
  128005: "step_id",
  128006: "start_header_id",
  128007: "end_header_id",
  128008: "eom_id",
  128009: "eot_id",
  128010: "python_tag",
  [NUM_TOKENS]: "image",
};
const FIRST_RESERVED = 128_011;

/** How text is cut before bytes are joined. */
const SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** `tokenizer.json`. */
export function tokenizerByRule(): Readonly<Record<string, unknown>> {
  const letters = alphabet();
  const vocab: Record<string, number> = {};
  const merges: [string, string][] = [];
  for (const [id, letter] of letters.entries()) vocab[letter] = id;
  for (const [left, right] of joinsOf(letters)) {
    const id = letters.length + merges.length;
    if (id === NUM_PLAIN) break;
    if (Object.hasOwn(vocab, left + right)) continue;
    vocab[left + right] = id;
    merges.push([left, right]);
  }
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: Array.from({ length: NUM_TOKENS - NUM_PLAIN + 1 }, (_, index) =>
      addedToken(NUM_PLAIN + index),
    ),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: SPLIT }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [
        { SpecialToken: { id: "<|begin_of_text|>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
      ],
      pair: [
        { SpecialToken: { id: "<|begin_of_text|>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "<|begin_of_text|>", type_id: 1 } },
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: {
        "<|begin_of_text|>": {
          id: "<|begin_of_text|>",
          ids: [NUM_PLAIN],
          tokens: ["<|begin_of_text|>"],
        },
      },
    },
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
      merges,
    },
  };
}

/** What may be joined, the first first; the same twice now and then. */
function* joinsOf(letters: readonly string[]): Generator<[string, string], void> {
  for (const a of letters) for (const b of letters) yield [a, b];
  const frequent = letters.slice(0, FREQUENT.length);
  for (const firsts of [frequent, letters]) {
    for (const a of firsts) {
      for (const b of firsts) for (const c of frequent) yield [a + b, c];
    }
  }
}

function addedToken(id: number) {
  const name = named[id] ?? `reserved_special_token_${id - FIRST_RESERVED + 2}`;
  return {
    id,
    content: `<|${name}|>`,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  };
}

/** A character for each byte: itself where it can be seen, else one from U+0100 on, as GPT-2 has it. */
function characterOf(byte: number): string {
  const isSeen = (value: number): boolean =>
    (value >= 33 && value <= 126) || (value >= 161 && value <= 255 && value !== 173);
  if (isSeen(byte)) return String.fromCodePoint(byte);
  const numHiddenBefore = Array.from({ length: byte }, (_, value) => value).filter(
    (value) => !isSeen(value),
  ).length;
  return String.fromCodePoint(256 + numHiddenBefore);
}

const frequentCharacters = new Set(Array.from(FREQUENT, (text) => characterOf(text.charCodeAt(0))));
const isFrequent = (character: string): boolean => frequentCharacters.has(character);

/** All bytes' characters, the frequent ones first. */
function alphabet(): string[] {
  const all = Array.from({ length: 256 }, (_, byte) => characterOf(byte));
  return [...frequentCharacters, ...all.filter((character) => !isFrequent(character))];
}
