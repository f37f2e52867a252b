/**
 * XGrammar, compiled to WebAssembly: from a grammar and a vocabulary to the tokens that may come next.
 *
 * What is wrong with a grammar makes it abort, and an aborted instance answers nothing reliably any more.
 * So it is loaded where it can be thrown away: in a worker thread (`matcher-thread.ts`), or in a test.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { compileFunction } from "node:vm";
import type XGrammar from "@mlc-ai/web-xgrammar";
import type {
  CompiledGrammar,
  GrammarMatcher,
  GrammarCompiler as LibraryCompiler,
} from "@mlc-ai/web-xgrammar";

type Library = typeof XGrammar;

export type { CompiledGrammar, GrammarMatcher };

export type GrammarVocabulary = {
  /** A token each, in byte-level spelling; empty for those that are no text. */
  readonly tokens: readonly string[];
  /** Rows of the output head. */
  readonly vocabSize: number;
  readonly stopTokenIds: readonly number[];
};

/** Rejected by a grammar that cannot be used; the instance is not to be used again. */
export class GrammarAbort extends Error {}

/** One instance of the library with one vocabulary. */
export class GrammarCompiler {
  readonly #library: Library;
  readonly #compiler: LibraryCompiler;
  /** What the library said last, before it aborted. */
  readonly #lastWords: () => string;

  private constructor(parts: {
    readonly library: Library;
    readonly compiler: LibraryCompiler;
    readonly lastWords: () => string;
  }) {
    this.#library = parts.library;
    this.#compiler = parts.compiler;
    this.#lastWords = parts.lastWords;
  }

  /**
   * Takes some 200 ms and 50 MB with 128,000 tokens.
   *
   * Silences `console.error`, through which the library speaks: use it in a thread of its own.
   */
  static async create({
    tokens,
    vocabSize,
    stopTokenIds,
  }: GrammarVocabulary): Promise<GrammarCompiler> {
    let said = "";
    console.error = (...words: unknown[]) => {
      if (!words.join(" ").startsWith("Aborted")) said = words.join(" ");
    };
    console.warn = () => {};
    const library = loadLibrary();
    const info = await library.TokenizerInfo.createTokenizerInfo(
      [...tokens],
      "byte_level",
      false,
      vocabSize,
      [...stopTokenIds],
    );
    const compiler = await library.GrammarCompiler.createGrammarCompiler(info, false);
    return new GrammarCompiler({ library, compiler, lastWords: () => said });
  }

  /** @throws GrammarAbort with what is wrong with it */
  async compile(grammar: string): Promise<CompiledGrammar> {
    try {
      return await this.#compiler.compileGrammar(grammar);
    } catch (cause) {
      throw new GrammarAbort(reasonIn(this.#lastWords()), { cause });
    }
  }

  /** Stands at the beginning of an answer. */
  async newMatcher(
    grammar: CompiledGrammar,
    stopTokenIds: readonly number[],
  ): Promise<GrammarMatcher> {
    return await this.#library.GrammarMatcher.createGrammarMatcher(grammar, [...stopTokenIds]);
  }
}

/** `[FATAL] …/grammar_parser.cc:552: EBNF parser error at line 1, column 10: …` → what follows the place. */
function reasonIn(words: string): string {
  const match = /\.cc:\d+:\s*(?:Check failed:.*?is false:\s*)?([\s\S]+)$/.exec(words);
  return (match?.[1] ?? "it cannot be compiled").replaceAll(/\s+/g, " ").slice(0, 300).trim();
}

/**
 * The package calls itself a module and is none: its file is written for `require`. So it is evaluated as
 * what it is.
 */
function loadLibrary(): Library {
  const path = createRequire(import.meta.url).resolve("@mlc-ai/web-xgrammar");
  const require = createRequire(path);
  const source = readFileSync(path, "utf8").replace(
    "import('module')",
    "Promise.resolve(require('module'))",
  );
  const module = { exports: {} };
  compileFunction(source, ["module", "exports", "require", "__filename", "__dirname"], {
    filename: path,
  }).call(module.exports, module, module.exports, require, path, dirname(path));
  return module.exports as Library;
}
