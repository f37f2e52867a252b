/** What a guard's tokens say: safe or unsafe, how surely, and which hazards. Pure. */
import { type Hazard, hazards } from "@atalaya/protocol";
import type { GeneratedToken } from "../../../../generation/event.ts";
import { tokenText } from "../../../token-text.ts";

/** Probability of each hazard, given that the input is unsafe. */
export type HazardScores = ReadonlyMap<Hazard, number>;

export const allHazards: readonly Hazard[] = Object.keys(hazards).filter(isHazard);

function isHazard(code: string): code is Hazard {
  return Object.hasOwn(hazards, code);
}

/**
 * Of `unsafe` against `safe`, at the first token that is not white space. Vocabularies cut the words
 * differently, so every token that begins either word counts for it.
 *
 * @returns from 0 to 1; `undefined` when the answer begins with neither word
 */
export function unsafeProbability(tokens: readonly GeneratedToken[]): number | undefined {
  const first = tokens.find(({ bytes }) => tokenText(bytes).trim() !== "");
  if (first === undefined) return undefined;
  const said = tokenText(first.bytes).trim();
  if (!begins("safe", said) && !begins("unsafe", said)) return undefined;
  let [safe, unsafe] = [0, 0];
  for (const [text, logprob] of candidates(first)) {
    const word = text.trim();
    if (word === "") continue;
    if (begins("safe", word)) safe += Math.exp(logprob);
    else if (begins("unsafe", word)) unsafe += Math.exp(logprob);
  }
  return unsafe / (safe + unsafe);
}

/** Codes in the line after the verdict, in the order they were said. */
export function namedHazards(answer: string): readonly Hazard[] {
  const [, line = ""] = answer.trimStart().split(/\r?\n/, 2);
  return [...new Set(line.split(",").map((code) => code.trim()))].filter(isHazard);
}

/**
 * For a hazard that was named, the probability of the tokens that name it; for others, that of being
 * named first.
 *
 * @param tokens of an answer whose list of hazards begins in them
 */
export function hazardScores(tokens: readonly GeneratedToken[]): HazardScores {
  const scores = new Map<Hazard, number>();
  const raise = (code: string, probability: number): void => {
    if (isHazard(code)) scores.set(code, Math.max(scores.get(code) ?? 0, probability));
  };
  const texts = tokens.map(({ bytes }) => tokenText(bytes));
  const answer = texts.join("");
  let isFirst = true;
  for (const { 0: code, index } of answer.matchAll(/S\d{1,2}(?!\d)/g)) {
    const span = tokensIn(texts, { start: index, end: index + code.length });
    raise(
      code,
      span.reduce((product, at) => product * probabilityOf(tokens[at]), 1),
    );
    if (isFirst) raiseAlternatives(span);
    isFirst = false;
  }
  return scores;

  /** Other numbers in the place of the first hazard's. */
  function raiseAlternatives(span: readonly number[]): void {
    const at = span.find((position) => /\d/.test(texts[position] ?? ""));
    const token = at === undefined ? undefined : tokens[at];
    if (token === undefined) return;
    const before = span.filter((position) => position < (at ?? 0));
    const reached = before.reduce(
      (product, position) => product * probabilityOf(tokens[position]),
      1,
    );
    for (const [text, logprob] of candidates(token)) {
      const number = /^S?(\d{1,2})$/.exec(text.trim())?.[1];
      const isOther = text !== tokenText(token.bytes);
      if (number !== undefined && isOther) raise(`S${number}`, reached * Math.exp(logprob));
    }
  }
}

function begins(word: string, start: string): boolean {
  return start !== "" && word.startsWith(start.toLowerCase());
}

/** A token and what else it might have been, each text once, with log-probabilities. */
function candidates(token: GeneratedToken): ReadonlyMap<string, number> {
  const all = [token, ...token.topLogprobs];
  return new Map(
    all.flatMap(({ bytes, logprob }) =>
      logprob === undefined ? [] : [[tokenText(bytes), logprob] as const],
    ),
  );
}

function probabilityOf(token: GeneratedToken | undefined): number {
  return token?.logprob === undefined ? 0 : Math.exp(token.logprob);
}

/** Positions of the tokens whose text reaches into a range of the answer. */
function tokensIn(
  texts: readonly string[],
  { start, end }: { readonly start: number; readonly end: number },
): number[] {
  const positions: number[] = [];
  let offset = 0;
  for (const [position, text] of texts.entries()) {
    if (offset < end && offset + text.length > start) positions.push(position);
    offset += text.length;
  }
  return positions;
}
