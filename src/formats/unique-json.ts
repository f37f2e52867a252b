/**
 * JSON in which no object names a key twice, and no nesting is deep.
 *
 * `JSON.parse` keeps the last of two equal keys, so two readers of one file may see two models.
 * Scans the text once for keys, then lets `JSON.parse` do the rest.
 */
import { shown } from "./shown.ts";

/** A checkpoint's files are at most five deep. */
const MAX_DEPTH = 32;

/** @throws SyntaxError on text that is no such JSON */
export function parseUniqueJson(text: string): unknown {
  checkKeys(text);
  return JSON.parse(text);
}

function checkKeys(text: string): void {
  /** Per open object its keys; `undefined` for an array. */
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') {
      const end = endOfString(text, i);
      const keys = open.at(-1);
      if (isKeyNext && keys !== undefined) {
        addKey(keys, text.slice(i, end + 1));
        isKeyNext = false;
      }
      i = end;
    } else if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : undefined);
      if (open.length > MAX_DEPTH) throw new SyntaxError(`nested more than ${MAX_DEPTH} deep`);
      isKeyNext = character === "{";
    } else if (character === "}" || character === "]") {
      open.pop();
      isKeyNext = false;
    } else if (character === ",") {
      isKeyNext = open.at(-1) !== undefined;
    }
  }
}

/** Two spellings of one key, as `"a"` and `"\u0061"`, are the same key. */
function addKey(keys: Set<string>, quoted: string): void {
  const key: unknown = quoted.includes("\\") ? JSON.parse(quoted) : quoted.slice(1, -1);
  if (typeof key !== "string") throw new SyntaxError("a key is no string");
  if (keys.has(key)) throw new SyntaxError(`${shown(key)} is named twice`);
  keys.add(key);
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  throw new SyntaxError("a string does not end");
}
