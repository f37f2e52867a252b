/**
 * The thread that encodes text. One tokenizer, and it knows no added tokens: text becomes plain tokens
 * whatever it says, and special strings are found by us, where the caller wants them found.
 */
import { Tokenizer } from "@huggingface/tokenizers";
import { PlatformError } from "../base/errors.ts";
import { serveThread } from "../base/serve-thread.ts";
import { readTokenizerFile } from "./read-tokenizer-file.ts";
import { lowerShield, type Shield, splitAtSpecials } from "./special-text.ts";
import { type VocabularyTable, writeVocabulary } from "./vocabulary.ts";

export type TokenizerData = { readonly directory: string };

export type EncodeQuestion = {
  readonly text: string;
  /** Whether special strings in `text` become their tokens. */
  readonly specialTokens: boolean;
  /** Stand-ins in the plain parts of `text` to exchange back before encoding. */
  readonly shield: Shield;
};

serveThread<TokenizerData, EncodeQuestion, Uint32Array, VocabularyTable>(({ directory }) => {
  const { plain, tokens, addedTokens } = readTokenizerFile(directory);
  const tokenizer = new Tokenizer(plain, {});
  const specialIds = new Map(addedTokens.map(({ id, text }) => [text, id]));
  const specials = [...specialIds.keys()];

  const encodePlain = (text: string): readonly (number | undefined)[] =>
    tokenizer.encode(text, { add_special_tokens: false }).ids;

  return {
    ready: writeVocabulary(tokens, addedTokens),
    answer: ({ text, specialTokens, shield }) => {
      const pieces = splitAtSpecials(text, specialTokens ? specials : []);
      const ids = pieces.flatMap((piece) =>
        piece.type === "special"
          ? [specialIds.get(piece.text)]
          : encodePlain(lowerShield(piece.text, shield)),
      );
      return Uint32Array.from(ids, knownId);
    },
  };
});

function knownId(id: number | undefined): number {
  if (id !== undefined) return id;
  throw new PlatformError(
    "corrupt_model_file",
    "tokenizer.json splits this text into a token that it does not have. Fetch the checkpoint again.",
  );
}
