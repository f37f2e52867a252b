/** Messages in the form that chat templates are written for. */
import type { ChatMessage, ContentPart } from "../generation/request.ts";
import { raiseShield, type Shield } from "./special-text.ts";

export type TemplateMessage = {
  readonly role: ChatMessage["role"];
  readonly content: string | readonly TemplatePart[];
};

export type TemplatePart =
  | { readonly type: "text"; readonly text: string }
  /** A template writes the picture's marker for it. */
  | { readonly type: "image" };

/**
 * Content with a picture becomes a list of parts, other content one string: system text as a list
 * would be printed as Python prints a list.
 *
 * @param shield laid over every text, so that none of it can be taken for structure
 */
export function toTemplateMessages(
  messages: readonly ChatMessage[],
  shield: Shield,
): TemplateMessage[] {
  return messages.map(({ role, content }) => ({
    role,
    content: content.some(isImage)
      ? content.map((part) =>
          part.type === "text"
            ? { type: "text", text: raiseShield(part.text, shield) }
            : { type: "image" },
        )
      : raiseShield(textOf(content), shield),
  }));
}

/**
 * Where there is a picture, put system text in front of the first user text.
 *
 * The released template refuses system text beside a picture; people and clients send both. This is
 * our policy for every template: with a picture there is no system message.
 */
export function foldSystemIntoUser(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const hasPicture = messages.some(({ content }) => content.some(isImage));
  const systemText = messages
    .filter(({ role }) => role === "system")
    .map(({ content }) => textOf(content).trim())
    .filter((text) => text !== "")
    .join("\n\n");
  const others = messages.filter(({ role }) => role !== "system");
  if (!hasPicture || others.length === messages.length) return messages;
  if (systemText === "") return others;
  const userIndex = others.findIndex(({ role }) => role === "user");
  if (userIndex < 0) return [{ role: "user", content: [text(systemText)] }, ...others];
  return others.map((message, index) =>
    index === userIndex
      ? { ...message, content: withTextInFront(message.content, systemText) }
      : message,
  );
}

function withTextInFront(content: readonly ContentPart[], systemText: string): ContentPart[] {
  const textIndex = content.findIndex((part) => part.type === "text");
  if (textIndex < 0) return [...content, text(systemText)];
  return content.map((part, index) =>
    index === textIndex && part.type === "text" ? text(`${systemText}\n\n${part.text}`) : part,
  );
}

function textOf(content: readonly ContentPart[]): string {
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

function isImage(part: ContentPart): boolean {
  return part.type === "image";
}

function text(value: string): ContentPart {
  return { type: "text", text: value };
}
