/**
 * `tokenizer.json`: a byte-level BPE vocabulary with its added tokens, checked before it is used.
 *
 * Both spellings of the merges (`"a b"` and `["a", "b"]`) are left to the library that reads them.
 */
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import { type AddedToken, byteLevelBytes, byteOfCharacter } from "./vocabulary.ts";

export type TokenizerFile = {
  /** The file as the library takes it, but without added tokens: it encodes nothing but plain text. */
  readonly plain: Readonly<Record<string, unknown>>;
  /** Bytes of every token, added ones included. */
  readonly tokens: ReadonlyMap<number, Uint8Array>;
  readonly addedTokens: readonly AddedToken[];
};

/** Of any vocabulary we mean to read; a file that claims more is damaged or hostile. */
const maxTokens = 1_000_000;

const tokenId = z
  .int()
  .min(0)
  .max(maxTokens - 1);

const File = z.looseObject({
  added_tokens: z.array(
    z.looseObject({ id: tokenId, content: z.string().min(1), special: z.boolean() }),
  ),
  model: z.looseObject({
    type: z.literal("BPE"),
    // As it is: a schema for records would drop a token that is called `__proto__`.
    vocab: z.custom<Readonly<Record<string, number>>>(isVocabulary),
    merges: z.array(z.unknown()),
  }),
  decoder: z.looseObject({ type: z.literal("ByteLevel") }),
});

function isVocabulary(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    // Of 128,000 tokens, at every launch: a schema for each number takes twenty times as long.
    Object.values(value).every((id) => Number.isInteger(id) && id >= 0 && id < maxTokens)
  );
}

/**
 * @param json the parsed file
 * @throws PlatformError `corrupt_model_file`
 */
export function parseTokenizerFile(json: unknown): TokenizerFile {
  const file = File.safeParse(json);
  if (!file.success) {
    const key = file.error.issues[0]?.path.slice(0, 2).join(".") ?? "";
    throw corrupt(`lacks a usable "${key}"; this model family has a byte-level BPE tokenizer`);
  }
  const { added_tokens, model } = file.data;
  const addedTokens = added_tokens.map(({ id, content, special }) => ({
    id,
    text: content,
    isSpecial: special,
  }));
  const addedTexts = new Set(addedTokens.map(({ text }) => text));
  // Some files list the added tokens in the vocabulary as well. There they could be met by plain text.
  const repeatsAdded = addedTokens.some(({ text }) => Object.hasOwn(model.vocab, text));
  const vocab = repeatsAdded
    ? Object.fromEntries(Object.entries(model.vocab).filter(([token]) => !addedTexts.has(token)))
    : model.vocab;
  checkAlphabet(vocab);
  return {
    plain: {
      ...file.data,
      added_tokens: [],
      post_processor: null,
      normalizer: file.data["normalizer"] ?? null,
      pre_tokenizer: withLongS(file.data["pre_tokenizer"] ?? null),
      model: { ...model, vocab },
    },
    tokens: tokenBytes(vocab, addedTokens),
    addedTokens,
  };
}

/**
 * In the family's split pattern `(?i:'s|…` matches `'ſ` (U+017F) as well, since that is a lower-case S;
 * the library spells out ASCII cases only.
 */
function withLongS(preTokenizer: unknown): unknown {
  const text = JSON.stringify(preTokenizer);
  return JSON.parse(text.replaceAll("(?i:'s|", "(?i:'s|'\u017f|"));
}

function tokenBytes(
  vocab: Readonly<Record<string, number>>,
  addedTokens: readonly AddedToken[],
): Map<number, Uint8Array> {
  const encoder = new TextEncoder();
  const tokens = new Map<number, Uint8Array>();
  for (const [token, id] of Object.entries(vocab)) {
    tokens.set(id, byteLevelBytes(token) ?? encoder.encode(token));
  }
  for (const { id, text } of addedTokens) tokens.set(id, encoder.encode(text));
  return tokens;
}

/** Every byte that UTF-8 can contain has a token, so that no text is lost. */
function checkAlphabet(vocab: Readonly<Record<string, number>>): void {
  for (const [character, byte] of byteOfCharacter) {
    const occursInUtf8 = byte < 0xf5 && byte !== 0xc0 && byte !== 0xc1;
    if (occursInUtf8 && !Object.hasOwn(vocab, character)) {
      throw corrupt(`has no token for the byte 0x${byte.toString(16).padStart(2, "0")}`);
    }
  }
}

function corrupt(problem: string): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `tokenizer.json ${problem}. Fetch the checkpoint again, or take the file from the model it was derived from.`,
  );
}
