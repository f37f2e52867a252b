/** Messages in the form that chat templates are written for. */
import type { ChatMessage, ContentPart } from "../generation/request.ts";
import { raiseShield, type Shield } from "./special-text.ts";

export type TemplateMessage = {
  readonly role: ChatMessage["role"];
  readonly content: string | readonly TemplatePart[];
};

type TemplatePart =
  | { readonly type: "text"; readonly text: string }
  /** A template writes the picture's marker for it. */
  | { readonly type: "image" };

/**
 * Whether a template takes text as one string. Some look through every content for pictures, as if
 * it were a list; in Python that works for a string too, letter by letter, in our renderer it fails.
 */
export type ContentForm = "string" | "list";

/**
 * Content with a picture becomes a list of parts, other content what the template takes. System text
 * is always a string: as a list it would be printed the way Python prints lists.
 *
 * @param shield laid over every text, so that none of it can be taken for structure
 */
export function toTemplateMessages(
  messages: readonly ChatMessage[],
  { form, shield }: { readonly form: ContentForm; readonly shield: Shield },
): TemplateMessage[] {
  return messages.map(({ role, content }) => {
    const isList = content.some(isImage) || (form === "list" && role !== "system");
    return {
      role,
      content: isList ? toParts(content, shield) : raiseShield(textOf(content), shield),
    };
  });
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
