/** What OpenAI's dialects say about functions that an answer may call → ours. Pure. */
import type {
  ChatCompletionRequest,
  ChatMessage,
  DescribedFunction,
  ResponsesRequest,
} from "@atalaya/protocol";
import { PlatformError } from "../base/errors.ts";
import type { ToolCall, ToolChoice, ToolFunction, ToolOffer } from "../generation/tools.ts";
import { unsupportedField } from "./known-fields.ts";

type ToolBody = Pick<
  ChatCompletionRequest,
  "tools" | "tool_choice" | "parallel_tool_calls" | "functions" | "function_call"
>;

type ResponseToolBody = Pick<ResponsesRequest, "tools" | "tool_choice" | "parallel_tool_calls">;

/**
 * Of `POST /v1/chat/completions`.
 *
 * @returns `undefined` when no answer may call anything
 * @throws PlatformError `invalid_request`, `unsupported_parameter`
 */
export function toToolOffer(body: ToolBody): ToolOffer | undefined {
  if (body.functions != null && body.functions.length > 0) return toOlderOffer(body);
  if (body.function_call != null && body.function_call !== "none") {
    throw invalid('"function_call" needs "functions" beside it.', "function_call");
  }
  const functions = (body.tools ?? []).map((tool, index) => {
    const field = `tools[${index}]`;
    if (tool.type !== "function") throw unsupportedField(`${field}.type = ${tool.type}`);
    if (tool.function == null) {
      throw invalid(`"${field}.function" is missing; it must be an object.`, `${field}.function`);
    }
    return toFunction(tool.function, `${field}.function`);
  });
  return offerOf({ ...body, functions, choice: body.tool_choice, toChoice });
}

/**
 * Of `POST /v1/responses`, whose functions and choices have no object inside them.
 *
 * @returns `undefined` when no answer may call anything
 * @throws PlatformError `invalid_request`, `unsupported_parameter`
 */
export function toResponseToolOffer(body: ResponseToolBody): ToolOffer | undefined {
  const functions = (body.tools ?? []).map((tool, index) => {
    const field = `tools[${index}]`;
    const { type, name } = tool;
    if (type !== "function") throw unsupportedField(`${field}.type = ${type}`);
    if (name == null)
      throw invalid(`"${field}.name" is missing; it must be text.`, `${field}.name`);
    return toFunction({ ...tool, name }, field);
  });
  return offerOf({ ...body, functions, choice: body.tool_choice, toChoice: toResponseChoice });
}

function offerOf<Choice extends object>(parts: {
  readonly functions: readonly ToolFunction[];
  readonly choice: "auto" | "none" | "required" | Choice | null | undefined;
  readonly toChoice: (choice: Choice) => ToolChoice;
  readonly parallel_tool_calls?: boolean | null | undefined;
}): ToolOffer | undefined {
  const { functions, choice, toChoice: named } = parts;
  if (functions.length === 0) {
    if (choice == null || choice === "auto" || choice === "none") return undefined;
    throw invalid(
      '"tool_choice" asks for a call; there are no "tools" to be called.',
      "tool_choice",
    );
  }
  if (choice === "none") return undefined;
  return {
    functions,
    choice:
      typeof choice === "object" && choice !== null ? named(choice) : { type: choice ?? "auto" },
    allowsSeveral: parts.parallel_tool_calls ?? undefined,
  };
}

function toChoice(choice: Exclude<ToolBody["tool_choice"], string | null | undefined>): ToolChoice {
  if (choice.type !== "function") throw unsupportedField(`tool_choice.type = ${choice.type}`);
  if (choice.function == null) {
    throw invalid(
      '"tool_choice.function" is missing; it must be an object with the name of a function.',
      "tool_choice.function",
    );
  }
  return { type: "named", name: choice.function.name };
}

function toResponseChoice(
  choice: Exclude<ResponseToolBody["tool_choice"], string | null | undefined>,
): ToolChoice {
  if (choice.type !== "function") throw unsupportedField(`tool_choice.type = ${choice.type}`);
  if (choice.name == null) {
    throw invalid(
      '"tool_choice.name" is missing; it must be the name of a function.',
      "tool_choice.name",
    );
  }
  return { type: "named", name: choice.name };
}

/** OpenAI's fields of 2023: one call an answer. */
function toOlderOffer(body: ToolBody): ToolOffer | undefined {
  const { functions, function_call: choice, tools } = body;
  if (tools != null && tools.length > 0) {
    throw invalid('"functions" and "tools" say the same. Leave one out.', "functions");
  }
  if (choice === "none") return undefined;
  return {
    functions: (functions ?? []).map((tool, index) => toFunction(tool, `functions[${index}]`)),
    choice:
      choice == null || choice === "auto" ? { type: "auto" } : { type: "named", name: choice.name },
    allowsSeveral: false,
  };
}

/** `field` is where it is described. */
function toFunction(
  { name, description, parameters, strict }: DescribedFunction,
  field: string,
): ToolFunction {
  return {
    name,
    description: description ?? undefined,
    parameters: parameters ?? undefined,
    isStrict: strict === true,
    field,
  };
}

/** What an assistant's message asked for; `undefined` when it asked for nothing. */
export function toToolCalls(
  { tool_calls: calls, function_call: older }: ChatMessage,
  field: string,
): readonly ToolCall[] | undefined {
  if (calls != null && calls.length > 0) {
    return calls.map(({ id, type, function: called }, index) => {
      const place = `${field}.tool_calls[${index}]`;
      if (type != null && type !== "function") throw unsupportedField(`${place}.type = ${type}`);
      if (called == null) {
        throw invalid(`"${place}.function" is missing; it must be an object.`, `${place}.function`);
      }
      return { id, name: called.name, arguments: argumentsText(called.arguments) };
    });
  }
  if (older == null) return undefined;
  return [{ id: older.name, name: older.name, arguments: argumentsText(older.arguments) }];
}

/** Left out, or empty, where a function takes none. */
function argumentsText(sent: string | object | null | undefined): string {
  if (typeof sent === "object" && sent !== null) return JSON.stringify(sent);
  return sent == null || sent.trim() === "" ? "{}" : sent;
}

/** Names of fields further inside that nothing reads. */
export function ignoredInTools({ tools, functions }: ToolBody): string[] {
  const ignored = [
    ...(tools ?? []).flatMap((tool) => [
      ...unread(tool, ["type", "function"], "tools[]"),
      ...unread(tool.function, readInFunctions, "tools[].function"),
    ]),
    ...(functions ?? []).flatMap((tool) => unread(tool, readInFunctions, "functions[]")),
  ];
  return [...new Set(ignored)];
}

/** As `ignoredInTools`, of responses. */
export function ignoredInResponseTools({ tools }: ResponseToolBody): string[] {
  const ignored = (tools ?? []).flatMap((tool) =>
    unread(tool, ["type", ...readInFunctions], "tools[]"),
  );
  return [...new Set(ignored)];
}

const readInFunctions = ["name", "description", "parameters", "strict"];

function unread(
  value: object | null | undefined,
  read: readonly string[],
  field: string,
): string[] {
  return Object.keys(value ?? {})
    .filter((key) => !read.includes(key))
    .map((key) => `${field}.${key}`);
}

function invalid(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
