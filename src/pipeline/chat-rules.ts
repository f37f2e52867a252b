/**
 * The conversation as this model can use it, whichever dialect it came in. Pure.
 *
 * A row of text sees, through cross-attention, only the latest group of pictures in front of it, so
 * a picture that stands behind its question is not looked at, and pictures with text between them are
 * not looked at together. Clients send all of these. The rules here mend what can be mended, and tell
 * what they changed.
 *
 * @see Transformers `processing_mllama.py`, `get_cross_attention_token_mask`
 */
import type { PromptChange } from "../generation/event.ts";
import type { ChatMessage, ContentPart, ImageOrder } from "../generation/request.ts";
import type { ToolFunction } from "../generation/tools.ts";
import {
  beginWithUser,
  dropTextBesideCalls,
  linkToolTurns,
  movePicturesBehindResults,
  splitToolCalls,
  writeToolsIntoText,
} from "./tool-turns.ts";

export type ChatRules = {
  /** `hoist` when absent. */
  readonly imageOrder?: ImageOrder | undefined;
  /** Functions that the answer may call. */
  readonly functions?: readonly ToolFunction[];
  /** Where they are the checkpoint's template's business; `never` when absent. */
  readonly templateTakesTools?: "always" | "without-pictures" | "never";
};

export type RuledChat = {
  readonly messages: readonly ChatMessage[];
  /** Those that the template is to write; none when absent. */
  readonly functions?: readonly ToolFunction[];
  /** What is no longer as it was sent, in the order of the rules. */
  readonly changes: readonly PromptChange[];
};

/**
 * Apply the rules, in order:
 *
 * 1. Pictures of functions' results go into a turn of the user's behind the results.
 * 2. An assistant's turn of several calls becomes a turn a call, each followed by its result.
 * 3. Text beside a call is dropped: the template has no place for it.
 * 4. Functions are written in front of the first user text where the template cannot: the released one with
 *    a picture anywhere, others that do not know of functions.
 * 5. Empty text is dropped, and with it a system or assistant turn that held nothing else.
 * 6. Where there is a picture anywhere, system text goes in front of the first user text: the
 *    released template refuses both together.
 * 7. Adjacent turns of one role become one, their texts two line breaks apart; calls and results stay
 *    by themselves.
 * 8. The pictures of a turn go in front of its text, unless `imageOrder` is `keep`.
 *
 * @throws PlatformError `invalid_request` when a tool's result answers no call
 */
export function applyChatRules(
  messages: readonly ChatMessage[],
  { imageOrder = "hoist", functions = [], templateTakesTools = "never" }: ChatRules = {},
): RuledChat {
  const isTemplates =
    templateTakesTools === "always" ||
    (templateTakesTools === "without-pictures" && !messages.some(hasPicture));
  const rules: readonly (readonly [PromptChange, (turns: Turns) => Turns])[] = [
    ["result-pictures-moved", movePicturesBehindResults],
    ["tool-calls-split", splitToolCalls],
    ["text-beside-call-dropped", dropTextBesideCalls],
    [
      "tools-in-text",
      (turns) =>
        isTemplates || functions.length === 0 ? turns : writeToolsIntoText(turns, functions),
    ],
    ["empty-text-dropped", dropEmptyText],
    ["system-text-moved", foldSystemIntoUser],
    ["turns-merged", mergeAdjacentTurns],
    ["pictures-hoisted", imageOrder === "hoist" ? hoistPictures : (turns) => turns],
  ];
  const changes: PromptChange[] = [];
  const linked = linkToolTurns(messages);
  let ruled = functions.length === 0 ? linked : beginWithUser(linked);
  for (const [change, rule] of rules) {
    const next = rule(ruled);
    if (next !== ruled) changes.push(change);
    ruled = next;
  }
  return { messages: ruled, changes, ...(isTemplates && functions.length > 0 && { functions }) };
}

/** Each rule returns its argument itself when it has nothing to change. */
type Turns = readonly ChatMessage[];

function dropEmptyText(turns: Turns): Turns {
  const holdsEmptyText = (turn: ChatMessage): boolean =>
    !isOfTools(turn) && (turn.content.some(isEmptyText) || turn.content.length === 0);
  if (!turns.some(holdsEmptyText)) return turns;
  const dropped = turns.map((turn) =>
    holdsEmptyText(turn)
      ? { ...turn, content: turn.content.filter((part) => !isEmptyText(part)) }
      : turn,
  );
  // An empty user turn is still a turn; the others are placeholders.
  const kept = dropped.filter(
    (turn) => turn.role === "user" || isOfTools(turn) || turn.content.length > 0,
  );
  const isUnchanged =
    kept.length === turns.length &&
    kept.every(({ content }, index) => content.length === turns[index]?.content.length);
  return isUnchanged ? turns : kept;
}

function foldSystemIntoUser(turns: Turns): Turns {
  const others = turns.filter(({ role }) => role !== "system");
  if (others.length === turns.length || !turns.some(hasPicture)) return turns;
  const systemTurns = turns.filter(({ role }) => role === "system");
  const pictures = systemTurns.flatMap(({ content }) => content.filter(isPicture));
  const systemText = systemTurns
    .map(({ content }) => textOf(content).trim())
    .filter((systemTurn) => systemTurn !== "")
    .join("\n\n");
  const moved = [...pictures, ...(systemText === "" ? [] : [text(systemText)])];
  const userIndex = others.findIndex(({ role }) => role === "user");
  if (moved.length === 0) return others;
  if (userIndex < 0) return [{ role: "user", content: moved }, ...others];
  return others.map((turn, index) =>
    index === userIndex
      ? { ...turn, content: [...pictures, ...withTextInFront(turn.content, systemText)] }
      : turn,
  );
}

function withTextInFront(content: readonly ContentPart[], systemText: string): ContentPart[] {
  if (systemText === "") return [...content];
  const textIndex = content.findIndex(isText);
  if (textIndex < 0) return [...content, text(systemText)];
  return content.map((part, index) =>
    index === textIndex && part.type === "text" ? text(`${systemText}\n\n${part.text}`) : part,
  );
}

function mergeAdjacentTurns(turns: Turns): Turns {
  const merged: ChatMessage[] = [];
  for (const turn of turns) {
    const last = merged.at(-1);
    if (last?.role !== turn.role || [last, turn].some(isOfTools)) {
      merged.push(turn);
      continue;
    }
    const needsBreak = [last, turn].every(({ content }) => content.some(isText));
    merged[merged.length - 1] = {
      role: turn.role,
      content: [...last.content, ...(needsBreak ? withBreakInFront(turn.content) : turn.content)],
    };
  }
  return merged.length === turns.length ? turns : merged;
}

function withBreakInFront(content: readonly ContentPart[]): ContentPart[] {
  const textIndex = content.findIndex(isText);
  return content.map((part, index) =>
    index === textIndex && part.type === "text" ? text(`\n\n${part.text}`) : part,
  );
}

function hoistPictures(turns: Turns): Turns {
  if (turns.every(({ content }) => picturesComeFirst(content))) return turns;
  return turns.map((turn) =>
    picturesComeFirst(turn.content)
      ? turn
      : {
          ...turn,
          content: [...turn.content.filter(isPicture), ...turn.content.filter(isText)],
        },
  );
}

function picturesComeFirst(content: readonly ContentPart[]): boolean {
  const firstText = content.findIndex(isText);
  return firstText < 0 || !content.slice(firstText).some(isPicture);
}

/** A call or a result. */
function isOfTools({ role, toolCalls }: ChatMessage): boolean {
  return role === "tool" || toolCalls !== undefined;
}

function hasPicture({ content }: ChatMessage): boolean {
  return content.some(isPicture);
}

function isPicture({ type }: ContentPart): boolean {
  return type === "image";
}

function isText({ type }: ContentPart): boolean {
  return type === "text";
}

function isEmptyText(part: ContentPart): boolean {
  return part.type === "text" && part.text === "";
}

function textOf(content: readonly ContentPart[]): string {
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

function text(value: string): ContentPart {
  return { type: "text", text: value };
}
