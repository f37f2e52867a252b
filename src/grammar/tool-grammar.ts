/** Functions that an answer may call → a grammar of the calls, and of the text in their place. Pure. */
import { PlatformError } from "../base/errors.ts";
import type { AnswerForm } from "../generation/request.ts";
import { parametersField, type ToolFunction, type ToolOffer } from "../generation/tools.ts";
import { formRules } from "./answer-grammar.ts";
import { anyObject } from "./any-json.ts";
import { anyOf, type Expression, literal, Rules } from "./rules.ts";
import { looseObjectGrammar, schemaGrammar } from "./schema-grammar.ts";
import { type Schema, wholeKeyword } from "./schema-keywords.ts";

/** Where several may be called at once. */
const maxCalls = 8;
/** Rules of any object, of several calls and of text. */
const sparedForText = 32;

/**
 * Answers that may be calls: each of a function that is offered, with arguments that fit its schema. Where a
 * grammar cannot keep a part of a schema, it keeps what it can, unless the function is strict.
 *
 * @param form of an answer that is no call; any text when absent, but none that begins as a call does
 * @throws PlatformError `invalid_request`, `unsupported_parameter`, naming the place
 */
export function toolGrammar(offer: ToolOffer, form?: AnswerForm): string {
  const { functions, choice, allowsSeveral } = offer;
  const rules = new Rules("tools");
  // First, so that there is always something to fall back on.
  anyObject(rules);
  const callable =
    choice.type === "named" ? functions.filter(({ name }) => name === choice.name) : functions;
  const options = callable.map((tool, index) =>
    callOf(tool, rules, { spare: 2 * (callable.length - index) + sparedForText }),
  );
  const call = rules.add(anyOf(options));
  const calls = allowsSeveral === true ? severalOf(call, rules) : call;
  if (choice.type !== "auto") return rules.toText(calls);
  return rules.toText(anyOf([calls, form === undefined ? anyText(rules) : ownForm(form, rules)]));
}

function ownForm(form: AnswerForm, rules: Rules): Expression {
  if (form.type !== "grammar") return formRules(form, rules);
  throw new PlatformError(
    "invalid_request",
    `"${form.field}" says what the whole answer is, which leaves no room for "tools". Leave one out, or write the calls into the grammar.`,
    { details: { param: form.field } },
  );
}

function callOf(tool: ToolFunction, rules: Rules, room: { readonly spare: number }): Expression {
  const name = literal(`{"name": ${JSON.stringify(tool.name)}, "parameters": `);
  return rules.add(`${name} ${parametersOf(tool, rules, room)} "}"`);
}

function parametersOf(
  tool: ToolFunction,
  rules: Rules,
  room: { readonly spare: number },
): Expression {
  const { parameters, isStrict } = tool;
  if (parameters === undefined) return anyObject(rules);
  const place = parametersField(tool);
  const schema = asObjectSchema(parameters);
  if (isStrict) return schemaGrammar(schema, place, rules);
  try {
    // What is no plain object at its root is kept as a whole or not at all.
    const write = wholeKeyword(schema) === undefined ? looseObjectGrammar : schemaGrammar;
    return rules.attempt(() => write(schema, place, rules), room);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return anyObject(rules);
  }
}

/** Arguments are an object, whether their schema says so or leaves it to be understood. */
function asObjectSchema(parameters: object): Schema {
  const schema = parameters as Schema;
  return wholeKeyword(schema) === undefined ? { ...schema, type: "object" } : schema;
}

function severalOf(call: Expression, rules: Rules): Expression {
  let several = call;
  for (let count = 1; count < maxCalls; count++) {
    several = rules.add(`${call} ("; " ${several})?`);
  }
  return several;
}

/** The parser takes nothing for a call that begins otherwise. */
function anyText(rules: Rules): Expression {
  const any = "([\\0-\\x7f] | [^\\0-\\x7f])";
  const rest = rules.addOnce("text", () => `"" | ${any} text`);
  return rules.add(`"" | [^ \\t\\r\\n{\\[] ${rest}`);
}
