/** A checkpoint's tokenizer.json, read where it may take its time: in a worker thread. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { parseTokenizerFile, type TokenizerFile } from "./tokenizer-file.ts";

/** Released files have 9 to 17 MB. */
const maxFileBytes = 64 * 1024 * 1024;

/** @throws PlatformError `corrupt_model_file` */
export function readTokenizerFile(directory: string): TokenizerFile {
  return parseTokenizerFile(readTokenizerJson(directory));
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
