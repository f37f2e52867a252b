/** The form that an answer must have → the grammar that every engine takes. Pure. */
import { PlatformError } from "../base/errors.ts";
import type { AnswerForm } from "../generation/request.ts";
import { anyObject } from "./any-json.ts";
import { regexGrammar } from "./regex-grammar.ts";
import { anyOf, type Expression, literal, Rules } from "./rules.ts";
import { schemaGrammar } from "./schema-grammar.ts";

const maxGrammarLength = 64 * 1024;

/** @throws PlatformError `invalid_request`, `unsupported_parameter`, naming the place */
export function answerGrammar(form: AnswerForm): string {
  if (form.type !== "grammar") {
    const rules = new Rules(form.field);
    return rules.toText(formRules(form, rules));
  }
  if (form.text.length <= maxGrammarLength) return form.text;
  throw new PlatformError(
    "invalid_request",
    `"${form.field}" has ${form.text.length} characters; at most ${maxGrammarLength} are accepted.`,
    { details: { param: form.field } },
  );
}

/**
 * Write the rules of a form.
 *
 * @returns what stands for it
 * @throws PlatformError as `answerGrammar`
 */
export function formRules(form: WrittenForm, rules: Rules): Expression {
  switch (form.type) {
    case "json-object":
      return anyObject(rules);
    case "json-schema":
      return schemaGrammar(form.schema, form.field, rules);
    case "regex":
      return regexGrammar(form.pattern, { field: form.field, inJson: false });
    case "choices":
      return anyOf(form.options.map(literal));
    default:
      return form satisfies never;
  }
}

/** Those whose rules are ours. */
type WrittenForm = Exclude<AnswerForm, { readonly type: "grammar" }>;
