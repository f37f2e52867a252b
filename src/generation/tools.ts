/** Functions that a model may ask its caller to run, and what it asks for. */
import { PlatformError } from "../base/errors.ts";

/** What a conversation offers its model. */
export type ToolOffer = {
  /** At least one; no two of one name. */
  readonly functions: readonly ToolFunction[];
  readonly choice: ToolChoice;
  /**
   * Whether one answer may call more than one function; when absent, where the model does so by itself, and
   * not where its answer is held to calls.
   */
  readonly allowsSeveral?: boolean | undefined;
};

export type ToolFunction = {
  readonly name: string;
  readonly description?: string | undefined;
  /** JSON schema of the object of arguments; any object when absent. */
  readonly parameters?: object | undefined;
  /** Arguments fit the schema, or the request is refused; else they fit where a grammar can see to it. */
  readonly isStrict: boolean;
  /** Where the caller described it, for the sentence that refuses it. */
  readonly field: string;
  /** What the caller calls `parameters`, when something else. */
  readonly parametersKey?: string;
};

/** Where the schema of a function's arguments stands. */
export function parametersField({ field, parametersKey = "parameters" }: ToolFunction): string {
  return `${field}.${parametersKey}`;
}

/** `auto`: text or calls, as the model sees fit; `required`: a call; `named`: a call of this function. */
export type ToolChoice =
  | { readonly type: "auto" | "required" }
  | { readonly type: "named"; readonly name: string };

/** A function that the model asks for. Nothing here runs it. */
export type ToolCall = {
  /** `call_…`; what its result refers to. */
  readonly id: string;
  readonly name: string;
  /** The text of a JSON object, as the model wrote it. */
  readonly arguments: string;
};

/** A function as whoever writes a program describes it. */
export type ToolDescription = {
  readonly name: string;
  readonly description?: string;
  /** JSON schema of the object of arguments; any object when absent. */
  readonly parameters?: object;
  /** Whether arguments fit the schema in every case; otherwise where a grammar can see to it. */
  readonly strict?: boolean;
};

/** `auto`: text or calls, as the model sees fit; `none`: no call; `required`: a call; or of which function. */
export type ToolWish = "auto" | "none" | "required" | { readonly name: string };

/**
 * @returns `undefined` when no answer may call anything
 * @throws PlatformError `invalid_request` when a call is wished for and there is nothing to call
 */
export function offerTools(
  tools: readonly ToolDescription[],
  wish: ToolWish = "auto",
): ToolOffer | undefined {
  if (wish === "none") return undefined;
  if (tools.length === 0) {
    if (wish === "auto") return undefined;
    throw new PlatformError(
      "invalid_request",
      "A call of a function is asked for, and there are no tools to be called.",
      { details: { param: "toolChoice" } },
    );
  }
  return {
    functions: tools.map(({ name, description, parameters, strict }, index) => ({
      name,
      description,
      parameters,
      isStrict: strict === true,
      field: `tools[${index}]`,
    })),
    choice: typeof wish === "object" ? { type: "named", name: wish.name } : { type: wish },
  };
}

/** A function as chat templates know it, which is as OpenAI's clients describe it. */
export function describeTool({ name, description, parameters }: ToolFunction): object {
  return {
    type: "function",
    function: {
      name,
      ...(description !== undefined && { description }),
      ...(parameters !== undefined && { parameters }),
    },
  };
}
