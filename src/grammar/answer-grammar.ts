/** The form that an answer must have → the grammar that every engine takes. Pure. */
import { PlatformError } from "../base/errors.ts";
import type { AnswerForm } from "../generation/request.ts";
import { regexGrammar } from "./regex-grammar.ts";
import { anyOf, literal, Rules } from "./rules.ts";
import { anyObject, schemaGrammar } from "./schema-grammar.ts";

const maxGrammarLength = 64 * 1024;

/** @throws PlatformError `invalid_request`, `unsupported_parameter`, naming the place */
export function answerGrammar(form: AnswerForm): string {
  const rules = new Rules(form.field);
  switch (form.type) {
    case "json-object":
      return rules.toText(anyObject(rules));
    case "json-schema":
      return rules.toText(schemaGrammar(form.schema, form.field, rules));
    case "regex":
      return rules.toText(regexGrammar(form.pattern, { field: form.field, inJson: false }));
    case "choices":
      return rules.toText(anyOf(form.options.map(literal)));
    case "grammar":
      if (form.text.length > maxGrammarLength) {
        throw new PlatformError(
          "invalid_request",
          `"${form.field}" has ${form.text.length} characters; at most ${maxGrammarLength} are accepted.`,
          { details: { param: form.field } },
        );
      }
      return form.text;
    default:
      return form satisfies never;
  }
}
