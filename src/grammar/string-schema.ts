/** A schema of texts: of a length, of a pattern, or of a format that has a name. */
import { anyString, plainCharacter } from "./any-json.ts";
import { regexGrammar } from "./regex-grammar.ts";
import type { Expression, Rules } from "./rules.ts";
import { countAt, refused, type Schema, unsupportedKeyword } from "./schema-keywords.ts";
import { stringFormats } from "./string-formats.ts";

/** Every further character takes a rule of its own, and milliseconds where it is compiled. */
const maxStringLength = 256;

/** @throws PlatformError `invalid_request`, `unsupported_parameter`, naming the keyword */
export function stringSchemaGrammar(schema: Schema, path: string, rules: Rules): Expression {
  const least = countAt(schema, "minLength", path, maxStringLength) ?? 0;
  const most = countAt(schema, "maxLength", path, maxStringLength);
  if (schema["pattern"] !== undefined) return ofPattern(schema, path, rules);
  if (schema["format"] !== undefined) {
    const known = formatOf(schema);
    if (known === undefined) {
      throw refused(
        `${path}.format`,
        `must be one of ${Object.keys(stringFormats).join(", ")}. Leave it out, or write it as a pattern.`,
      );
    }
    if (least > 0 || most !== undefined) throw unsupportedKeyword(path, "format");
    return inQuotes(known, `${path}.format`, rules);
  }
  if (least === 0 && most === undefined) return anyString(rules);
  if (most !== undefined && least > most) {
    throw refused(path, "has a minLength that is more than its maxLength.");
  }
  return ofLength(least, most, rules);
}

function ofPattern(schema: Schema, path: string, rules: Rules): Expression {
  const { pattern } = schema;
  if (typeof pattern !== "string") throw refused(`${path}.pattern`, "must be text.");
  for (const keyword of ["minLength", "maxLength"]) {
    // A pattern has a length of its own; both together are more than a grammar says.
    if (schema[keyword] !== undefined && schema[keyword] !== 0) {
      throw unsupportedKeyword(path, keyword);
    }
  }
  try {
    return inQuotes(pattern, `${path}.pattern`, rules);
  } catch (error) {
    // Schemas made by libraries say the same thing twice: the format is the one that we know.
    const known = formatOf(schema);
    if (known === undefined) throw error;
    return inQuotes(known, `${path}.format`, rules);
  }
}

/** The pattern of a schema's format; `undefined` when it has none that is known. */
function formatOf({ format }: Schema): string | undefined {
  return typeof format === "string" ? stringFormats[format] : undefined;
}

function inQuotes(pattern: string, field: string, rules: Rules): Expression {
  return rules.add(`"\\"" (${regexGrammar(pattern, { field, inJson: true })}) "\\""`);
}

function ofLength(least: number, most: number | undefined, rules: Rules): Expression {
  anyString(rules);
  const one = (rest: string): string => `${plainCharacter} ${rest} | "\\\\" escape ${rest}`;
  let rest = most === undefined ? "stringrest" : rules.add('"\\""');
  for (let length = (most ?? least) - 1; length >= 0; length--) {
    const mayEnd = length >= least ? '"\\"" | ' : "";
    rest = rules.add(`${mayEnd}${one(rest)}`);
  }
  return rules.add(`"\\"" ${rest}`);
}
