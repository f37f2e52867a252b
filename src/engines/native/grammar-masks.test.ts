import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type TokenId, tokenId } from "../../base/ids.ts";
import { readTokenizerFile } from "../../tokenizer/read-tokenizer-file.ts";
import { GrammarMasks, type GrammarState } from "./grammar-masks.ts";

const directory = fileURLToPath(new URL("../../../test/golden/mllama/tiny-a", import.meta.url));
const { signal } = new AbortController();
const { tokens, addedTokens } = readTokenizerFile(directory);
const stop = tokenId(2);
const specials = new Set(addedTokens.map(({ id }) => id));

function idOf(text: string): TokenId {
  for (const [id, bytes] of tokens) {
    if (!specials.has(id) && Buffer.from(bytes).toString() === text) return tokenId(id);
  }
  throw new Error(`no token ${text}`);
}

async function allowedText(state: GrammarState): Promise<string[]> {
  const mask = await state.allowed();
  return [...tokens].flatMap(([id, bytes]) =>
    (((mask?.[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1
      ? [id === stop ? "<stop>" : Buffer.from(bytes).toString()]
      : [],
  );
}

const open = (masks: GrammarMasks, grammar: string): Promise<GrammarState> =>
  masks.open(grammar, { stopTokenIds: [stop], signal });

describe("what a grammar allows", () => {
  test("goes on with the answer, and ends where a sentence is complete", async () => {
    await using masks = new GrammarMasks({ directory, vocabSize: 256 });
    using state = await open(masks, 'root ::= "a" ("b" | "c")?');
    expect(await allowedText(state)).toEqual(["a"]);
    state.accept(idOf("a"));
    expect((await allowedText(state)).toSorted()).toEqual(["<stop>", "b", "c"]);
    state.accept(idOf("c"));
    expect(await allowedText(state)).toEqual(["<stop>"]);
    state.accept(stop);
    expect(await state.allowed()).toBeUndefined();
  });

  test("ends where anything may follow, and with the answer's own stop tokens alone", async () => {
    await using masks = new GrammarMasks({ directory, vocabSize: 256 });
    for (const grammar of ["root ::= [^x]*", 'root ::= "" | ([\\0-\\x7f] | [^\\0-\\x7f]) root']) {
      using state = await open(masks, grammar);
      for (let step = 0; step < 2; step++) {
        const allowed = await allowedText(state);
        expect(allowed).toEqual(expect.arrayContaining(["<stop>", "a", "b"]));
        expect(allowed.filter((text) => text.startsWith("<|"))).toEqual([]);
        state.accept(idOf("a"));
      }
      state.accept(stop);
      expect(await state.allowed()).toBeUndefined();
    }
  });

  test("never has a special token whose text would fit", async () => {
    await using masks = new GrammarMasks({ directory, vocabSize: 256 });
    using state = await open(masks, "root ::= [^x]*");
    const allowed = await allowedText(state);
    expect(allowed).toContain("<");
    expect(allowed.filter((text) => text.startsWith("<|"))).toEqual([]);
  });

  test.each([
    ["an unknown rule", "root ::= other", /"other" is not defined/],
    ["no start", 'first ::= "a"', /root/],
    ["an open bracket", 'root ::= ("a"', /grammar cannot be used/],
  ])("is refused with its reason: %s", async (_what, grammar, message) => {
    await using masks = new GrammarMasks({ directory, vocabSize: 256 });
    using before = await open(masks, 'root ::= "a"');
    await expect(open(masks, grammar)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(message),
    });
    // Neither those that were open nor those that come suffer.
    expect(await allowedText(before)).toEqual(["a"]);
    using after = await open(masks, 'root ::= "b"');
    expect(await allowedText(after)).toEqual(["b"]);
  });

  test("many, of which only some stay compiled, and the open ones stay good (TO-06)", async () => {
    await using masks = new GrammarMasks({ directory, vocabSize: 256 });
    using first = await open(masks, 'root ::= "a" "0"');
    first.accept(idOf("a"));
    for (let index = 0; index < 200; index++) {
      using state = await open(masks, `root ::= "b" "${index}"`);
      expect(await allowedText(state)).toEqual(["b"]);
    }
    expect(await allowedText(first)).toEqual(["0"]);
  });

  test("one that takes too long to prepare ends there, and alone", async () => {
    await using masks = new GrammarMasks({ directory, vocabSize: 256 }, { tryTimeoutMs: 400 });
    using before = await open(masks, 'root ::= "a"');
    const endless = `root ::= ${"(".repeat(12)}[a-z]${"{1,200})".repeat(12)}`;
    await expect(open(masks, endless)).rejects.toMatchObject({ code: "invalid_request" });
    expect(await allowedText(before)).toEqual(["a"]);
    using after = await open(masks, 'root ::= "b"');
    expect(await allowedText(after)).toEqual(["b"]);
  });
});
