/**
 * The thread that knows grammars: which tokens may come next in each answer that is held to one.
 *
 * Started twice. One tries out every grammar that is new, within limits of time and memory; the other
 * serves the answers, and is only given what the first one got through. A grammar that cannot be used
 * makes the library abort, after which a fresh instance takes its place.
 */
import { PlatformError } from "../../base/errors.ts";
import { serveThread } from "../../base/serve-thread.ts";
import {
  type CompiledGrammar,
  GrammarAbort,
  GrammarCompiler,
  type GrammarMatcher,
  type GrammarVocabulary,
} from "../../grammar/xgrammar.ts";
import { readTokenizerFile } from "../../tokenizer/read-tokenizer-file.ts";
import { byteLevelText } from "../../tokenizer/vocabulary.ts";

export type GrammarData = {
  /** A checkpoint, whose vocabulary the answers are made of. */
  readonly directory: string;
  /** Rows of the output head. */
  readonly vocabSize: number;
};

export type GrammarQuestion =
  | { readonly type: "try"; readonly grammar: string }
  | {
      readonly type: "open";
      readonly id: number;
      readonly grammar: string;
      readonly stopTokenIds: readonly number[];
      /** The answer so far. */
      readonly accepted: readonly number[];
    }
  | { readonly type: "accept"; readonly id: number; readonly tokenId: number }
  | { readonly type: "close"; readonly id: number };

/**
 * Tokens that may come next, a bit each; `undefined` when the answer is complete, and after `try` and
 * `close`; `unknown` for an answer that this thread has never been told of.
 */
export type GrammarAnswer = Int32Array | undefined | "unknown";

/** WebAssembly memory of one thread: the vocabulary of 128,000 tokens takes 50 MB of it. */
const maxMemoryBytes = 512 * 1024 * 1024;
const maxCompiled = 64;
/** Text of the grammars that stay compiled. */
const maxCompiledLength = 8 * 1024 * 1024;

class GrammarKeeper {
  readonly #vocabulary: GrammarVocabulary;
  #compiler: GrammarCompiler | undefined;
  /** Least recently used first. */
  readonly #compiled = new Map<string, CompiledGrammar>();
  readonly #matchers = new Map<number, OpenAnswer>();

  constructor(vocabulary: GrammarVocabulary) {
    this.#vocabulary = vocabulary;
  }

  async start(): Promise<GrammarCompiler> {
    this.#compiler ??= await GrammarCompiler.create(this.#vocabulary);
    return this.#compiler;
  }

  async answer(question: GrammarQuestion): Promise<GrammarAnswer> {
    switch (question.type) {
      case "try":
        (await this.#compile(question.grammar)).dispose();
        return undefined;
      case "open":
        return await this.#open(question);
      case "accept": {
        const answer = this.#matchers.get(question.id);
        if (answer === undefined) return "unknown";
        this.#accept(answer.matcher, question.tokenId);
        return await nextTokens(answer);
      }
      case "close":
        this.#matchers.get(question.id)?.matcher.dispose();
        this.#matchers.delete(question.id);
        return undefined;
      default:
        return question satisfies never;
    }
  }

  async #open({
    id,
    grammar,
    stopTokenIds,
    accepted,
  }: Extract<GrammarQuestion, { type: "open" }>): Promise<GrammarAnswer> {
    const compiler = await this.start();
    const compiled = this.#compiled.get(grammar) ?? (await this.#compile(grammar));
    this.#keep(grammar, compiled);
    const matcher = await compiler.newMatcher(compiled, stopTokenIds);
    const stops = new Set(stopTokenIds);
    const never = this.#vocabulary.stopTokenIds.filter((tokenId) => !stops.has(tokenId));
    const answer: OpenAnswer = { matcher, never };
    this.#matchers.set(id, answer);
    for (const tokenId of accepted) this.#accept(matcher, tokenId);
    return await nextTokens(answer);
  }

  #accept(matcher: GrammarMatcher, tokenId: number): void {
    if (matcher.isTerminated()) return;
    if (!matcher.acceptToken(tokenId)) throw new Error("a token was chosen that is not allowed");
  }

  async #compile(grammar: string): Promise<CompiledGrammar> {
    const compiler = await this.start();
    try {
      return await compiler.compile(grammar);
    } catch (error) {
      if (!(error instanceof GrammarAbort)) throw error;
      // What belonged to the aborted instance is gone with it.
      this.#compiler = undefined;
      this.#compiled.clear();
      this.#matchers.clear();
      throw new PlatformError(
        "invalid_request",
        `The grammar cannot be used: ${error.message}. Write it in XGrammar's EBNF, starting from the rule "root".`,
        { cause: error },
      );
    }
  }

  #keep(grammar: string, compiled: CompiledGrammar): void {
    this.#compiled.delete(grammar);
    this.#compiled.set(grammar, compiled);
    let length = 0;
    for (const key of this.#compiled.keys()) length += key.length;
    for (const [key, oldest] of this.#compiled) {
      if (this.#compiled.size <= maxCompiled && length <= maxCompiledLength) return;
      if (key === grammar) return;
      // Matchers hold what they need of it.
      oldest.dispose();
      this.#compiled.delete(key);
      length -= key.length;
    }
  }
}

type OpenAnswer = {
  readonly matcher: GrammarMatcher;
  /** Special tokens that do not end it. */
  readonly never: readonly number[];
};

async function nextTokens({ matcher, never }: OpenAnswer): Promise<Int32Array | undefined> {
  if (matcher.isTerminated()) return undefined;
  const mask = (await matcher.getNextTokenBitmask()).slice();
  for (const id of never) mask[id >>> 5] = (mask[id >>> 5] ?? 0) & ~(1 << (id & 31));
  return mask;
}

/**
 * Special tokens are no text: none can be part of an answer. The library is told that all of them are
 * ends; tokens without text that are no ends it rules out at the end too, wherever most others may come.
 */
function readVocabulary({ directory, vocabSize }: GrammarData): GrammarVocabulary {
  const { tokens, addedTokens } = readTokenizerFile(directory);
  const special = new Set(addedTokens.map(({ id }) => id));
  return {
    tokens: Array.from({ length: vocabSize }, (_, id) => {
      const bytes = special.has(id) ? undefined : tokens.get(id);
      return bytes === undefined ? "" : byteLevelText(bytes);
    }),
    vocabSize,
    stopTokenIds: [...special].filter((id) => id < vocabSize),
  };
}

type WasmMemory = { readonly buffer: ArrayBuffer; grow(numPages: number): number };

/** The library asks for more, and aborts when there is none. */
function limitMemory(maxBytes: number): void {
  const { prototype } = (
    globalThis as unknown as {
      readonly WebAssembly: { readonly Memory: { prototype: WasmMemory } };
    }
  ).WebAssembly.Memory;
  // Called with the memory that is to grow, as it would have been.
  // oxlint-disable-next-line typescript/unbound-method
  const { grow } = prototype;
  prototype.grow = function limited(this: WasmMemory, numPages: number): number {
    if (this.buffer.byteLength + numPages * 65_536 > maxBytes) {
      throw new RangeError("the memory for grammars is used up");
    }
    return grow.call(this, numPages);
  };
}

serveThread<GrammarData, GrammarQuestion, GrammarAnswer, undefined>(async (data) => {
  limitMemory(maxMemoryBytes);
  const keeper = new GrammarKeeper(readVocabulary(data));
  await keeper.start();
  return { ready: undefined, answer: (question) => keeper.answer(question) };
});
