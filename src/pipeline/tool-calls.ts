/**
 * Tells calls of functions from text while an answer is written, however it is cut into pieces.
 *
 * This family writes a call as `{"name": "…", "parameters": {…}}`, some models with `arguments` or with
 * `"type": "function"` in it; several follow each other, with `;` or white space between, or in a list.
 * An answer is calls only when all of it is, and only of functions that were offered: whatever else looks
 * like it stays text. What may still become a call is held back, and no more than that. Every character is
 * looked at once.
 */
import { randomUUID } from "node:crypto";
import type { GenerateEvent } from "../generation/event.ts";
import type { ToolCall, ToolOffer } from "../generation/tools.ts";

/** Characters that are held back at most; an answer that goes on beyond is text. */
const maxHeld = 256 * 1024;
const maxCalls = 128;
/** Brackets inside brackets. */
const maxDepth = 64;

const keys: ReadonlySet<string> = new Set(["type", "name", "parameters", "arguments"]);

/** Text that is no call goes through, calls come with the `finish`. */
export async function* withToolCalls(
  events: AsyncIterable<GenerateEvent>,
  offer: ToolOffer,
): AsyncGenerator<GenerateEvent, void> {
  const reader = new ToolCallReader(callableNames(offer));
  for await (const event of events) {
    if (event.type === "text-delta") {
      yield { ...event, text: reader.push(event.text) };
    } else if (event.type === "finish") {
      const { text, calls } = reader.end();
      if (text !== "") yield { type: "text-delta", text, tokens: [] };
      const toolCalls = offer.allowsSeveral === false ? calls.slice(0, 1) : calls;
      yield toolCalls.length === 0 ? event : { ...event, toolCalls };
    } else {
      yield event;
    }
  }
}

function callableNames({ functions, choice }: ToolOffer): string[] {
  return choice.type === "named" ? [choice.name] : functions.map(({ name }) => name);
}

type Place =
  | "before-call"
  | "before-key"
  | "key"
  | "before-colon"
  | "before-value"
  | "value"
  | "after-value"
  | "after-call"
  | "after-list"
  | "text";

/** Places where white space is part of what is read; in all others it changes nothing. */
const spaceCounts: ReadonlySet<Place> = new Set(["key", "value"]);

export class ToolCallReader {
  readonly #names: ReadonlySet<string>;
  readonly #calls: ToolCall[] = [];
  #held = "";
  #place: Place = "before-call";
  #isInList = false;
  /** Of the call that is being read. */
  #values = new Map<string, string>();
  #key = "";
  #value = "";
  #valueEnd = new ValueEnd();

  /** What each place makes of a character. */
  readonly #read: Readonly<Record<Place, (character: string) => Place>> = {
    "before-call": (character) => this.#beforeCall(character),
    "before-key": (character) => {
      this.#key = "";
      return character === '"' ? "key" : "text";
    },
    key: (character) => this.#inKey(character),
    "before-colon": (character) => (character === ":" ? "before-value" : "text"),
    "before-value": (character) => {
      this.#value = "";
      this.#valueEnd = new ValueEnd();
      return this.#inValue(character);
    },
    value: (character) => this.#inValue(character),
    "after-value": (character) => this.#afterValue(character),
    "after-call": (character) => this.#afterCall(character),
    "after-list": (character) => (character === ";" ? "after-list" : "text"),
    text: () => "text",
  };

  /** @param names of the functions that may be called */
  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
  }

  /** @returns text that is certainly not part of a call */
  push(text: string): string {
    if (this.#place === "text") return text;
    this.#held += text;
    for (const character of text) {
      this.#place = this.#next(character);
      if (this.#place === "text") return this.#release();
    }
    if (this.#held.length <= maxHeld) return "";
    this.#place = "text";
    return this.#release();
  }

  /** The answer has ended: what was held back is text, or it is all calls. */
  end(): { readonly text: string; readonly calls: readonly ToolCall[] } {
    const isWhole =
      this.#place === "after-list" || (this.#place === "after-call" && !this.#isInList);
    if (isWhole && this.#calls.length > 0) return { text: "", calls: this.#calls };
    return { text: this.#release(), calls: [] };
  }

  #release(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  #next(character: string): Place {
    if (isSpace(character) && !spaceCounts.has(this.#place)) return this.#place;
    return this.#read[this.#place](character);
  }

  #beforeCall(character: string): Place {
    if (character === "{") {
      this.#values = new Map();
      return this.#calls.length < maxCalls ? "before-key" : "text";
    }
    if (character !== "[" || this.#isInList || this.#calls.length > 0) return "text";
    this.#isInList = true;
    return "before-call";
  }

  #inKey(character: string): Place {
    if (character === '"') {
      return keys.has(this.#key) && !this.#values.has(this.#key) ? "before-colon" : "text";
    }
    this.#key += character;
    return this.#key.length <= 16 ? "key" : "text";
  }

  #inValue(character: string): Place {
    this.#value += character;
    const state = this.#valueEnd.after(character);
    if (state === "broken") return "text";
    return state === "whole" ? this.#endValue() : "value";
  }

  #endValue(): Place {
    const value = parsed(this.#value);
    if (!this.#fits(value)) return "text";
    this.#values.set(this.#key, typeof value === "string" ? value : this.#value);
    return "after-value";
  }

  #fits(value: unknown): boolean {
    switch (this.#key) {
      case "name":
        return typeof value === "string" && this.#names.has(value);
      case "type":
        return value === "function";
      default:
        return typeof value === "object" && value !== null && !Array.isArray(value);
    }
  }

  #afterCall(character: string): Place {
    if (this.#isInList && character === "]") return "after-list";
    if (character === ";" || (this.#isInList && character === ",")) return "after-call";
    return this.#beforeCall(character);
  }

  #afterValue(character: string): Place {
    if (character === ",") return "before-key";
    if (character !== "}") return "text";
    const name = this.#values.get("name");
    const parameters = this.#values.get("parameters");
    const args = parameters ?? this.#values.get("arguments");
    const hasBoth = parameters !== undefined && this.#values.has("arguments");
    if (name === undefined || args === undefined || hasBoth) return "text";
    this.#calls.push({ id: newCallId(), name, arguments: args });
    return "after-call";
  }
}

/** Where a text or an object of JSON ends: a call has these in it, and nothing else. */
class ValueEnd {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  /** @returns what the characters up to this one are */
  after(character: string): "open" | "whole" | "broken" {
    if (this.#isInString) return this.#inString(character);
    switch (character) {
      case '"':
        this.#isInString = true;
        return "open";
      case "{":
      case "[":
        this.#depth += 1;
        return this.#depth <= maxDepth ? "open" : "broken";
      case "}":
      case "]":
        this.#depth -= 1;
        if (this.#depth < 0) return "broken";
        return this.#depth === 0 ? "whole" : "open";
      default:
        return this.#depth > 0 ? "open" : "broken";
    }
  }

  #inString(character: string): "open" | "whole" {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (character === "\\") this.#isEscaped = true;
    else if (character === '"') this.#isInString = false;
    return this.#isInString || this.#depth > 0 ? "open" : "whole";
  }
}

function newCallId(): string {
  return `call_${randomUUID().replaceAll("-", "").slice(0, 24)}`;
}

/** JSON alone is read, and nothing in it is run. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isSpace(character: string): boolean {
  return character === " " || character === "\n" || character === "\r" || character === "\t";
}
