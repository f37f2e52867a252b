/** Numbers between bounds, as JSON writes them; without bounds, of at most 15 digits. */
import { anyOf, type Expression, literal } from "./rules.ts";

/** `undefined`: no bound. */
export type Bounds = {
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly excludesMinimum: boolean;
  readonly excludesMaximum: boolean;
};

/** A double holds any whole number of so many digits; more of them say nothing. */
const maxDigits = 15;
const largest = 10 ** maxDigits - 1;

/** Whole numbers. `undefined` when there is none within the bounds. */
export function integerGrammar(bounds: Bounds): Expression | undefined {
  const { minimum, maximum, excludesMinimum, excludesMaximum } = bounds;
  let least = Math.ceil(minimum ?? -largest);
  let most = Math.floor(maximum ?? largest);
  if (excludesMinimum && least === minimum) least += 1;
  if (excludesMaximum && most === maximum) most -= 1;
  least = Math.max(least, -largest);
  most = Math.min(most, largest);
  if (least > most) return undefined;
  const options: Expression[] = [];
  if (least < 0) {
    options.push(`"-" ${wholeNumbers(Math.max(1, -most), -least)}`);
  }
  if (most >= 0) options.push(wholeNumbers(Math.max(0, least), most));
  return anyOf(options);
}

/** Digits after the point, then perhaps nothing but zeros. */
const fraction = `("." [0-9]{1,${maxDigits}})?`;
const zeroFraction = '("." "0")?';
/** Something, but not nothing, after the point. */
const realFraction = '"." [0-9]{0,7} [1-9] [0-9]{0,7}';

/**
 * Numbers with or without a fraction. Bounds are whole numbers.
 *
 * @returns `undefined` when there is none within the bounds
 */
export function numberGrammar(bounds: Bounds): Expression | undefined {
  const { minimum, maximum, excludesMinimum, excludesMaximum } = bounds;
  if (minimum === undefined && maximum === undefined) {
    return `"-"? ${wholeNumbers(0, largest)} ${fraction} ([eE] [+\\-]? [0-9]{1,2})?`;
  }
  const least = minimum ?? -largest;
  const most = maximum ?? largest;
  const options = [
    ...between(Math.max(least, 0), most, {
      withoutLeast: excludesMinimum && least >= 0,
      withoutMost: excludesMaximum,
    }),
    ...between(Math.max(-most, 0), -least, {
      withoutLeast: most > 0 || excludesMaximum || most === 0,
      withoutMost: excludesMinimum,
    }).map((expression) => `"-" ${expression}`),
  ];
  return options.length === 0 ? undefined : anyOf(options);
}

/** Numbers of no sign from `least` to `most`, both whole. */
function between(
  least: number,
  most: number,
  without: { readonly withoutLeast: boolean; readonly withoutMost: boolean },
): Expression[] {
  if (least > most) return [];
  const { withoutLeast, withoutMost } = without;
  const options: Expression[] = [];
  if (least === most) {
    return withoutLeast || withoutMost ? [] : [`${literal(`${least}`)} ${zeroFraction}`];
  }
  options.push(`${literal(`${least}`)} ${withoutLeast ? realFraction : fraction}`);
  if (most - least > 1) options.push(`${wholeNumbers(least + 1, most - 1)} ${fraction}`);
  if (!withoutMost) options.push(`${literal(`${most}`)} ${zeroFraction}`);
  return options;
}

/** Whole numbers of no sign, without leading zeros. */
function wholeNumbers(least: number, most: number): Expression {
  const options: Expression[] = [];
  for (let start = least; start <= most; ) {
    const size = `${start}`.length;
    const end = Math.min(most, 10 ** size - 1);
    options.push(...ofOneLength(`${start}`, `${end}`));
    start = end + 1;
  }
  return anyOf(merged(options));
}

/** Numbers between two of the same length. */
function ofOneLength(least: string, most: string): Expression[] {
  const [first = "0"] = least;
  const [last = "0"] = most;
  if (least.length === 1) return [digitRange(first, last)];
  const rest = least.length - 1;
  const isFull = (from: string, to: string): boolean => /^0*$/.test(from) && /^9*$/.test(to);
  const tail = (from: string, to: string): Expression =>
    isFull(from, to) ? `[0-9]{${rest}}` : anyOf(ofOneLength(from, to));
  if (first === last) return [`"${first}" ${tail(least.slice(1), most.slice(1))}`];
  const lowest = least.slice(1);
  const highest = most.slice(1);
  const options: Expression[] = [];
  let from = Number(first);
  let to = Number(last);
  if (!/^0*$/.test(lowest)) {
    options.push(`"${first}" ${tail(lowest, "9".repeat(rest))}`);
    from += 1;
  }
  const high: Expression[] = [];
  if (!/^9*$/.test(highest)) {
    high.push(`"${last}" ${tail("0".repeat(rest), highest)}`);
    to -= 1;
  }
  if (from <= to) options.push(`${digitRange(`${from}`, `${to}`)} [0-9]{${rest}}`);
  return [...options, ...high];
}

function digitRange(first: string, last: string): Expression {
  return first === last ? `"${first}"` : `[${first}-${last}]`;
}

/** Runs of `[1-9] [0-9]{n}` become one. */
function merged(options: readonly Expression[]): Expression[] {
  const full = options.flatMap((option) => {
    if (option === "[1-9]") return [0];
    const match = /^\[1-9\] \[0-9\]\{(\d+)\}$/.exec(option);
    return match === null ? [] : [Number(match[1])];
  });
  if (full.length < 2) return [...options];
  const others = options.filter((option) => !/^\[1-9\]( \[0-9\]\{\d+\})?$/.test(option));
  return [...others, `[1-9] [0-9]{${Math.min(...full)},${Math.max(...full)}}`];
}
