/**
 * The thread that encodes text. One tokenizer, and it knows no added tokens: text becomes plain tokens
 * whatever it says, and special strings are found by us, where the caller wants them found.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { PlatformError } from "../base/errors.ts";
import { serveThread } from "../base/serve-thread.ts";
import { lowerShield, type Shield, splitAtSpecials } from "./special-text.ts";
import { parseTokenizerFile } from "./tokenizer-file.ts";
import { type VocabularyTable, writeVocabulary } from "./vocabulary.ts";

export type TokenizerData = { readonly directory: string };

export type EncodeQuestion = {
  readonly text: string;
  /** Whether special strings in `text` become their tokens. */
  readonly specialTokens: boolean;
  /** Stand-ins in the plain parts of `text` to exchange back before encoding. */
  readonly shield: Shield;
};

/** Released files have 9 to 17 MB. */
const maxFileBytes = 64 * 1024 * 1024;

serveThread<TokenizerData, EncodeQuestion, Uint32Array, VocabularyTable>(({ directory }) => {
  const { plain, tokens, addedTokens } = parseTokenizerFile(readTokenizerJson(directory));
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

function readTokenizerJson(directory: string): unknown {
  const file = join(directory, "tokenizer.json");
  const sizeBytes = statSync(file, { throwIfNoEntry: false })?.size;
  if (sizeBytes === undefined) {
    throw corrupt(
      `${directory} has no tokenizer.json. Fetch the checkpoint again, with all its files.`,
    );
  }
  if (sizeBytes > maxFileBytes) {
    throw corrupt(
      `${file} has ${sizeBytes.toLocaleString("en-US")} bytes; at most ${maxFileBytes.toLocaleString("en-US")} are read. Fetch the checkpoint again.`,
    );
  }
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw corrupt(`${file} is not valid JSON. Fetch the checkpoint again.`);
  }
}

function corrupt(message: string): PlatformError {
  return new PlatformError("corrupt_model_file", message);
}
