/**
 * JSON as this server takes it: UTF-8, of bounded depth and breadth, and nothing but JSON.
 *
 * The bounds hold before anything recursive (schemas, serialisers) meets the value. Of a key that
 * comes twice in one object, the last one counts, as `JSON.parse` has it.
 */
import { requestLimits } from "@atalaya/protocol";
import { PlatformError } from "../base/errors.ts";
import { isByte } from "./data-url.ts";
import { httpLimits } from "./limits.ts";

const quote = 0x22;
const backslash = 0x5c;
const openers: ReadonlySet<number> = new Set([0x7b, 0x5b]);
const closers: ReadonlySet<number> = new Set([0x7d, 0x5d]);

/**
 * @throws PlatformError `invalid_request`
 */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) {
    throw invalid("The body is empty. Send a JSON object.");
  }
  refuseDepth(body);
  const value = parseJson(decodeUtf8(body));
  refuseOddValues(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`The body is ${nameOf(value)}. Send a JSON object, {"model": …}.`);
  }
  return value;
}

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch (error) {
    throw invalid("The body is not valid UTF-8. Encode the JSON as UTF-8.", error);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8's message quotes the text around the fault, and that is the person's prompt.
    throw invalid(
      "The body is not valid JSON. Check quotes and commas; JSON has no NaN and no Infinity.",
      error,
    );
  }
}

/** Count brackets outside of strings: linear, and before the parser builds anything. */
function refuseDepth(body: Buffer): void {
  let depth = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte === quote) at = endOfString(body, at);
    else if (openers.has(byte)) depth++;
    else if (closers.has(byte)) depth--;
    if (depth > httpLimits.jsonDepth) {
      throw invalid(`The JSON is nested deeper than ${httpLimits.jsonDepth} levels.`);
    }
  }
}

/** Position of the quote that closes the string opened at `start`, or of the end. */
function endOfString(body: Buffer, start: number): number {
  for (let at = body.indexOf(quote, start + 1); at !== -1; at = body.indexOf(quote, at + 1)) {
    let numBackslashes = 0;
    while (body[at - 1 - numBackslashes] === backslash) numBackslashes++;
    if (numBackslashes % 2 === 0) return at;
  }
  return body.length;
}

/** Where a picture may come as the numbers of its bytes; nothing further in walks through those. */
const byteFields: ReadonlySet<string> = new Set(["data", "image", "images[]"]);

/** Where a prompt may come as token ids, which are as many as a context holds. */
const tokenFields: ReadonlySet<string> = new Set(["prompt", "prompt[]"]);

function areTokenIds(value: readonly unknown[]): boolean {
  return value.length <= requestLimits.maxPromptTokenIds && value.every(Number.isSafeInteger);
}

/** @param field the key that `value` stands under, `key[]` for the members of a list */
function refuseOddValues(value: unknown, field = ""): void {
  if (typeof value === "string") refuseLoneSurrogates(value);
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    if (byteFields.has(field) && value.every(isByte)) return;
    if (tokenFields.has(field) && areTokenIds(value)) return;
    refuseBreadth(value.length);
    for (const member of value) refuseOddValues(member, `${field}[]`);
    return;
  }
  const entries = Object.entries(value);
  refuseBreadth(entries.length);
  for (const [key, member] of entries) {
    if (key === "__proto__") throw invalid('The JSON has a key "__proto__". Leave it out.');
    refuseLoneSurrogates(key);
    refuseOddValues(member, key);
  }
}

function refuseBreadth(numMembers: number): void {
  if (numMembers <= httpLimits.jsonBreadth) return;
  throw invalid(
    `One list or object of the JSON has ${numMembers} members; the most is ${httpLimits.jsonBreadth}.`,
  );
}

function refuseLoneSurrogates(text: string): void {
  if (!text.isWellFormed()) {
    throw invalid(
      "A string of the JSON has half of a surrogate pair (such as \\ud800 alone), which is no character.",
    );
  }
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

function invalid(message: string, cause?: unknown): PlatformError {
  return new PlatformError("invalid_request", message, { cause });
}
