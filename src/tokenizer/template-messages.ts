/** Messages in the form that chat templates are written for. */
import { literalJson } from "../base/json-text.ts";
import type { ChatMessage, ContentPart } from "../generation/request.ts";
import { describeTool, type ToolCall, type ToolFunction } from "../generation/tools.ts";
import { raiseShield, type Shield } from "./special-text.ts";

export type TemplateMessage = {
  /** `ipython` is Llama's own name for what a function returned. */
  readonly role: ChatMessage["role"] | "ipython";
  readonly content: string | readonly TemplatePart[];
  readonly tool_calls?: readonly TemplateCall[];
};

type TemplatePart =
  | { readonly type: "text"; readonly text: string }
  /** A template writes the picture's marker for it. */
  | { readonly type: "image" };

type TemplateCall = {
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: unknown };
};

/**
 * Whether a template takes text as one string. Some look through every content for pictures, as if
 * it were a list; in Python that works for a string too, letter by letter, in our renderer it fails.
 */
export type ContentForm = "string" | "list";

/** How a template takes messages, as was found out by trying it. */
export type TemplateForm = {
  readonly content: ContentForm;
  /**
   * Whether functions are its business, which is so when it names `tools`, whatever it then writes: how it
   * takes the first user text beside them, and whether it takes them beside a picture.
   */
  readonly besideTools: ContentForm | undefined;
  readonly takesToolsWithPictures: boolean;
};

/**
 * Content with a picture becomes a list of parts, other content what the template takes. System text
 * is always a string: as a list it would be printed the way Python prints lists. Calls and results
 * are the template's own where it knows of functions; else they are text as the released one writes it.
 *
 * @param shield laid over every text, so that none of it can be taken for structure
 */
export function toTemplateMessages(
  messages: readonly ChatMessage[],
  {
    form,
    shield,
    hasTools = false,
  }: {
    readonly form: TemplateForm;
    readonly shield: Shield;
    /** Whether the template is given functions. */
    readonly hasTools?: boolean;
  },
): TemplateMessage[] {
  const firstUser = messages.findIndex(({ role }) => role === "user");
  return messages.map((message, index) => {
    const { role, content, toolCalls } = message;
    if (role === "tool") return toResult(content, { form, shield });
    if (toolCalls !== undefined && !content.some(isImage)) {
      return toCalls(toolCalls, { form, shield });
    }
    const wanted = hasTools && index === firstUser ? form.besideTools : form.content;
    const isList = content.some(isImage) || (wanted === "list" && role !== "system");
    return {
      role,
      content: isList ? toParts(content, shield) : raiseShield(textOf(content), shield),
    };
  });
}

/** Functions as templates know them, which is as OpenAI's clients send them. */
export function toTemplateTools(functions: readonly ToolFunction[], shield: Shield): unknown[] {
  return functions.map((tool) => shieldJson(describeTool(tool), shield));
}

type Ways = { readonly form: TemplateForm; readonly shield: Shield };

function toResult(content: readonly ContentPart[], { form, shield }: Ways): TemplateMessage {
  const text = raiseShield(textOf(content), shield);
  return form.besideTools === undefined
    ? { role: "ipython", content: asContent(JSON.stringify(text), form.content) }
    : { role: "tool", content: text };
}

function toCalls(calls: readonly ToolCall[], { form, shield }: Ways): TemplateMessage {
  if (form.besideTools !== undefined) {
    return {
      role: "assistant",
      content: asContent("", form.content),
      tool_calls: calls.map((call) => ({
        type: "function",
        function: {
          name: raiseShield(call.name, shield),
          arguments: shieldJson(JSON.parse(call.arguments), shield),
        },
      })),
    };
  }
  const text = calls
    .map((call) => literalJson({ name: call.name, parameters: JSON.parse(call.arguments) }))
    .join("; ");
  return { role: "assistant", content: asContent(raiseShield(text, shield), form.content) };
}

function asContent(text: string, form: ContentForm): TemplateMessage["content"] {
  return form === "string" ? text : [{ type: "text", text }];
}

/** A shield over every text inside a JSON value, names too. */
function shieldJson(value: unknown, shield: Shield): unknown {
  if (typeof value === "string") return raiseShield(value, shield);
  if (Array.isArray(value)) return value.map((item) => shieldJson(item, shield));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      raiseShield(key, shield),
      shieldJson(item, shield),
    ]),
  );
}

function toParts(content: readonly ContentPart[], shield: Shield): TemplatePart[] {
  return content.map((part) =>
    part.type === "text"
      ? { type: "text", text: raiseShield(part.text, shield) }
      : { type: "image" },
  );
}

function textOf(content: readonly ContentPart[]): string {
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

function isImage(part: ContentPart): boolean {
  return part.type === "image";
}
