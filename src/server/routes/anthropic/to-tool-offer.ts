/** What Anthropic's clients say about functions that an answer may call → ours. Pure. */
import type { CountTokensRequest } from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { ToolChoice, ToolOffer } from "../../../generation/tools.ts";
import { ignoredIn, is, isEmpty, unsupportedField } from "../../known-fields.ts";

type ToolBody = Pick<CountTokensRequest, "tools" | "tool_choice">;

/**
 * @returns `undefined` when no answer may call anything
 * @throws PlatformError `invalid_request`, `unsupported_parameter`
 */
export function toAnthropicOffer({ tools, tool_choice: wish }: ToolBody): ToolOffer | undefined {
  const choice = toChoice(wish);
  const functions = (tools ?? []).map((tool, index) => {
    const field = `tools[${index}]`;
    if (tool.type != null && tool.type !== "custom") {
      throw unsupportedField(`${field}.type = ${tool.type}`);
    }
    return {
      name: tool.name,
      description: tool.description ?? undefined,
      parameters: tool.input_schema ?? undefined,
      isStrict: tool.strict === true,
      field,
      parametersKey: "input_schema",
    };
  });
  if (functions.length === 0) {
    if (choice === undefined || choice.type === "auto") return undefined;
    throw invalid('"tool_choice" asks for a call; there are no "tools" to be called.');
  }
  if (choice === undefined) return undefined;
  const { disable_parallel_tool_use: isOne } = wish ?? {};
  return { functions, choice, allowsSeveral: isOne == null ? undefined : !isOne };
}

/** @returns `undefined` for none */
function toChoice(wish: ToolBody["tool_choice"]): ToolChoice | undefined {
  if (wish == null || wish.type === "auto") return { type: "auto" };
  if (wish.type === "none") return undefined;
  if (wish.type === "any") return { type: "required" };
  if (wish.name != null) return { type: "named", name: wish.name };
  throw invalid('"tool_choice.name" is missing; it must be the name of a tool.');
}

/** Names of members further inside that nothing depends on. */
export function ignoredInTools({ tools, tool_choice: choice }: ToolBody): string[] {
  const known = ["type", "name", "description", "input_schema", "strict"];
  const hints = {
    cache_control: isEmpty,
    defer_loading: is(false),
    eager_input_streaming: is(false),
  };
  const ofChoice = { known: ["type", "name", "disable_parallel_tool_use"] };
  return [
    ...new Set([
      ...(tools ?? []).flatMap((tool) => ignoredIn(tool, "tools[]", { known, hints })),
      ...ignoredIn(choice, "tool_choice", ofChoice),
    ]),
  ];
}

function invalid(message: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param: "tool_choice" } });
}
