/** Every way in which OpenAI's and vLLM's clients say what an answer must look like → ours. Pure. */
import type { ChatCompletionRequest, CompletionRequest, ResponsesRequest } from "@atalaya/protocol";
import { PlatformError } from "../base/errors.ts";
import type { AnswerForm, AnswerOptions } from "../generation/request.ts";

type FormBody = Pick<
  ChatCompletionRequest | CompletionRequest,
  | "response_format"
  | "guided_json"
  | "guided_regex"
  | "guided_choice"
  | "guided_grammar"
  | "guided_json_object"
  | "structured_outputs"
  | "choices"
>;

/** @throws PlatformError `invalid_request` when there is more than one, or a schema is no JSON */
export function toAnswerForm(body: FormBody): AnswerForm | undefined {
  const { structured_outputs: structured } = body;
  const inside = "structured_outputs";
  const forms = [
    ofResponseFormat(body.response_format),
    ...ofFields("guided_", body.guided_json, {
      regex: body.guided_regex,
      choice: body.guided_choice,
      grammar: body.guided_grammar,
    }),
    ...ofFields(`${inside}.`, structured?.json, {
      regex: structured?.regex,
      choice: structured?.choice,
      grammar: structured?.grammar,
    }),
    body.guided_json_object === true
      ? ({ type: "json-object", field: "guided_json_object" } as const)
      : undefined,
    structured?.json_object === true
      ? ({ type: "json-object", field: `${inside}.json_object` } as const)
      : undefined,
  ].filter((form) => form !== undefined);
  const [first, second] = forms;
  const other = second?.field ?? (body.choices == null ? undefined : "choices");
  if (first !== undefined && other !== undefined) {
    throw new PlatformError(
      "invalid_request",
      `"${first.field}" and "${other}" both say what the answer must look like. Leave one out.`,
      { details: { param: other } },
    );
  }
  return first;
}

/** @throws PlatformError `invalid_request` when a text is listed twice */
export function toAnswerOptions({ choices }: FormBody): AnswerOptions | undefined {
  if (choices == null) return undefined;
  const twice = choices.find((text, index) => choices.indexOf(text) !== index);
  if (twice !== undefined) {
    throw new PlatformError("invalid_request", `"choices" lists ${JSON.stringify(twice)} twice.`, {
      details: { param: "choices" },
    });
  }
  return { field: "choices", texts: choices };
}

/**
 * OpenAI's responses say the same one level higher.
 *
 * @throws PlatformError `invalid_request` when there is no schema
 */
export function formOfText({ text }: Pick<ResponsesRequest, "text">): AnswerForm | undefined {
  const format = text?.format;
  if (format == null || format.type === "text") return undefined;
  if (format.type === "json_object") return { type: "json-object", field: "text.format" };
  const field = "text.format.schema";
  if (format.schema == null) throw noSchema(field);
  return { type: "json-schema", schema: format.schema, field };
}

/** OpenAI's. */
function ofResponseFormat(format: FormBody["response_format"]): AnswerForm | undefined {
  if (format == null || format.type === "text") return undefined;
  if (format.type === "json_object") return { type: "json-object", field: "response_format" };
  const field = "response_format.json_schema";
  if (format.json_schema == null) throw noSchema(field);
  const { schema } = format.json_schema;
  // OpenAI's own default: any object.
  if (schema == null) return { type: "json-object", field };
  return { type: "json-schema", schema, field: `${field}.schema` };
}

function noSchema(field: string): PlatformError {
  return new PlatformError("invalid_request", `"${field}" is missing; it must hold the schema.`, {
    details: { param: field },
  });
}

function ofFields(
  prefix: string,
  json: unknown,
  others: {
    readonly regex: string | null | undefined;
    readonly choice: readonly string[] | null | undefined;
    readonly grammar: string | null | undefined;
  },
): (AnswerForm | undefined)[] {
  const { regex, choice, grammar } = others;
  return [
    json == null || json === ""
      ? undefined
      : { type: "json-schema", schema: asSchema(json, `${prefix}json`), field: `${prefix}json` },
    regex == null ? undefined : { type: "regex", pattern: regex, field: `${prefix}regex` },
    choice == null ? undefined : { type: "choices", options: choice, field: `${prefix}choice` },
    grammar == null ? undefined : { type: "grammar", text: grammar, field: `${prefix}grammar` },
  ];
}

/** vLLM's clients send schemas as objects and as text. */
function asSchema(json: unknown, field: string): unknown {
  if (typeof json !== "string") return json;
  try {
    return JSON.parse(json);
  } catch {
    throw new PlatformError("invalid_request", `"${field}" is text, but not JSON.`, {
      details: { param: field },
    });
  }
}
