/** Whether functions and calls are such that they can be offered to a model. Pure. */
import { PlatformError } from "../base/errors.ts";
import type { ChatPrompt } from "../generation/request.ts";
import { parametersField, type ToolCall, type ToolOffer } from "../generation/tools.ts";

const maxFunctions = 128;
const maxNameLength = 128;
/** Brackets inside brackets, of a schema and of arguments. */
const maxDepth = 64;
const namePattern = /^[A-Za-z0-9_.-]+$/;

/** @throws PlatformError `invalid_request`, naming the place */
export function checkTools({ tools, messages }: ChatPrompt): void {
  if (tools !== undefined) checkOffer(tools);
  for (const { toolCalls = [], field = "messages" } of messages) {
    for (const call of toolCalls) checkCall(call, field);
  }
}

function checkOffer({ functions, choice }: ToolOffer): void {
  if (functions.length > maxFunctions) {
    throw refused(
      `The request has ${functions.length} tools; the most is ${maxFunctions}. Send fewer.`,
      "tools",
    );
  }
  const seen = new Set<string>();
  for (const tool of functions) {
    const { name, parameters, field } = tool;
    checkName(name, `${field}.name`);
    if (seen.has(name)) {
      throw refused(
        `"${field}.name" is ${JSON.stringify(name)}, as another tool's is.`,
        `${field}.name`,
      );
    }
    seen.add(name);
    if (parameters === undefined) continue;
    const place = parametersField(tool);
    if (!isObject(parameters)) throw refused(`"${place}" must be a JSON schema: an object.`, place);
    if (isDeeper(parameters, maxDepth)) {
      throw refused(`"${place}" is nested more than ${maxDepth} levels deep.`, place);
    }
    const far = foreignReference(parameters);
    if (far !== undefined) {
      throw refused(
        `"${place}" refers to ${JSON.stringify(far.slice(0, 100))}; a schema refers to places in itself alone, such as "#/$defs/item".`,
        place,
      );
    }
  }
  if (choice.type === "named" && !seen.has(choice.name)) {
    throw refused(
      `"tool_choice" names ${JSON.stringify(choice.name.slice(0, maxNameLength))}, which is none of the tools.`,
      "tool_choice",
    );
  }
}

function checkCall({ name, arguments: args }: ToolCall, field: string): void {
  checkName(name, field);
  let value: unknown;
  try {
    value = JSON.parse(args);
  } catch {
    value = undefined;
  }
  if (!isObject(value)) {
    throw refused(
      `"${field}" has a call of ${name} whose arguments are not the text of a JSON object.`,
      field,
    );
  }
  if (isDeeper(value, maxDepth)) {
    throw refused(
      `"${field}" has a call of ${name} whose arguments are nested more than ${maxDepth} levels deep.`,
      field,
    );
  }
}

function checkName(name: string, field: string): void {
  if (name.length <= maxNameLength && namePattern.test(name)) return;
  throw refused(
    `"${field}" is ${JSON.stringify(name.slice(0, 40))}; the name of a function has 1 to ${maxNameLength} letters, digits, "_", "-" and ".".`,
    field,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

/** Nothing is ever fetched for a schema. */
function foreignReference(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "$ref" && typeof inner === "string" && !inner.startsWith("#")) return inner;
    const found = foreignReference(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function refused(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
