/** Lists of so many items, each written as a rule of its own. */
import { anyOf, type Expression, type Rules, sequence } from "./rules.ts";

export type ListItems = {
  /** Rules of the first items, in their order. */
  readonly prefix: readonly Expression[];
  /** The rule of every further item; `undefined` when none may follow. */
  readonly item: Expression | undefined;
  readonly least: number;
  /** Not less than `prefix` has; `undefined`: as many as come. */
  readonly most: number | undefined;
};

/** Written from the last item backwards, so that every rule ends in one that stands already. */
export function listGrammar({ prefix, item, least, most }: ListItems, rules: Rules): Expression {
  const itemAt = (index: number): Expression | undefined => prefix[index] ?? item;
  const another = (index: number, rest: Expression): Expression =>
    sequence('", "', itemAt(index) ?? "", rest);
  /** From so many items on nothing changes any more. */
  const numTold = item === undefined ? prefix.length : (most ?? Math.max(least, prefix.length));
  /** What may follow the items so far. */
  let rest: Expression;
  if (item !== undefined && most === undefined) {
    rest = rules.reserve();
    rules.define(rest, `"]" | ${another(numTold, rest)}`);
  } else {
    rest = rules.add('"]"');
  }
  for (let count = numTold - 1; count >= 1; count--) {
    rest = rules.add(`${count >= least ? '"]" | ' : ""}${another(count, rest)}`);
  }
  const first = itemAt(0);
  const empty = least === 0 ? ['"]"'] : [];
  const full = first === undefined ? [] : [`${first} ${rest}`];
  return rules.add(sequence('"["', anyOf([...empty, ...full])));
}
