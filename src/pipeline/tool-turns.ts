/**
 * Calls of functions and their results, as turns that this model's template can say. Pure.
 *
 * The released template knows one call a turn, and nothing beside it; it puts the functions into the first
 * user text, but only where there is no picture. The rules here bring every conversation into that form.
 */
import { PlatformError } from "../base/errors.ts";
import type { ChatMessage, ContentPart } from "../generation/request.ts";
import { describeTool, type ToolCall, type ToolFunction } from "../generation/tools.ts";

type Turns = readonly ChatMessage[];

/**
 * Every result answers a call that was made before it and that nothing else answers.
 *
 * @returns the messages, each result with the id of its call
 * @throws PlatformError `invalid_request`, naming the place
 */
export function linkToolTurns(messages: Turns): Turns {
  if (!messages.some(({ role }) => role === "tool")) return messages;
  let open: ToolCall[] = [];
  return messages.map((message) => {
    open.push(...(message.toolCalls ?? []));
    if (message.role !== "tool") return message;
    const call =
      message.toolCallId === undefined ? open[0] : open.find(({ id }) => id === message.toolCallId);
    if (call === undefined) throw unasked(message);
    open = open.filter((other) => other !== call);
    return { ...message, toolCallId: call.id };
  });
}

function unasked({ toolCallId, field = "messages" }: ChatMessage): PlatformError {
  const what =
    toolCallId === undefined
      ? "A tool's result answers no call"
      : `The tool's result for ${JSON.stringify(toolCallId.slice(0, 100))} answers no call`;
  return new PlatformError(
    "invalid_request",
    `${what} that is open: none in front of it has that id, or it was answered already. Send the assistant's message with the call first, and one result for each.`,
    { details: { param: field } },
  );
}

/** The model looks at pictures of the user's turns alone: those of results come in one behind the last of them. */
export function movePicturesBehindResults(turns: Turns): Turns {
  const isPicture = ({ type }: ContentPart): boolean => type === "image";
  if (!turns.some(({ role, content }) => role === "tool" && content.some(isPicture))) return turns;
  const moved: ChatMessage[] = [];
  let pictures: ContentPart[] = [];
  for (const [index, turn] of turns.entries()) {
    if (turn.role !== "tool") {
      moved.push(turn);
      continue;
    }
    pictures.push(...turn.content.filter(isPicture));
    moved.push({ ...turn, content: turn.content.filter((part) => !isPicture(part)) });
    if (turns[index + 1]?.role === "tool" || pictures.length === 0) continue;
    moved.push({ role: "user", content: pictures });
    pictures = [];
  }
  return moved;
}

/** An assistant's turn of several calls becomes one turn a call, each followed by its result. */
export function splitToolCalls(turns: Turns): Turns {
  if (!turns.some(({ toolCalls = [] }) => toolCalls.length > 1)) return turns;
  const split: ChatMessage[] = [];
  for (let index = 0; index < turns.length; ) {
    const turn = turns[index++];
    if (turn === undefined) break;
    const calls = turn.toolCalls ?? [];
    if (calls.length < 2) {
      split.push(turn);
      continue;
    }
    let results: ChatMessage[] = [];
    for (; turns[index]?.role === "tool"; index++) results.push(turns[index] as ChatMessage);
    for (const [number, call] of calls.entries()) {
      split.push({ ...turn, content: number === 0 ? turn.content : [], toolCalls: [call] });
      const own = results.find(({ toolCallId }) => toolCallId === call.id);
      if (own === undefined) continue;
      split.push(own);
      results = results.filter((result) => result !== own);
    }
    split.push(...results);
  }
  return split;
}

/** The template writes a call and leaves out what was said beside it. */
export function dropTextBesideCalls(turns: Turns): Turns {
  const hasBoth = ({ toolCalls = [], content }: ChatMessage): boolean =>
    toolCalls.length > 0 && content.some((part) => part.type === "text" && part.text !== "");
  if (!turns.some(hasBoth)) return turns;
  return turns.map((turn) =>
    hasBoth(turn) ? { ...turn, content: turn.content.filter(({ type }) => type !== "text") } : turn,
  );
}

/** The template takes the first turn for the user's; an empty one stands in where it is another's. */
export function beginWithUser(turns: Turns): Turns {
  const index = turns.findIndex(({ role }) => role !== "system");
  if (turns[index]?.role === "user") return turns;
  const start = index < 0 ? turns.length : index;
  return [...turns.slice(0, start), { role: "user", content: [] }, ...turns.slice(start)];
}

/**
 * Functions in front of the first user text, in the words that the released template puts them there.
 *
 * @param turns the first that is not the system's is the user's
 */
export function writeToolsIntoText(turns: Turns, functions: readonly ToolFunction[]): Turns {
  const index = turns.findIndex(({ role }) => role === "user");
  return turns.map((turn, place) =>
    place === index ? { ...turn, content: withToolsInFront(turn.content, functions) } : turn,
  );
}

function withToolsInFront(
  content: readonly ContentPart[],
  functions: readonly ToolFunction[],
): ContentPart[] {
  const told = [
    "Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.",
    'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.Do not use variables.',
    ...functions.map((tool) => JSON.stringify(describeTool(tool), null, 4)),
    "",
  ].join("\n\n");
  const texts = content.flatMap((part, place) => (part.type === "text" ? [place] : []));
  const [first] = texts;
  const last = texts.at(-1);
  if (first === undefined) return [...content, { type: "text", text: told }];
  return content.map((part, place) => {
    if (part.type !== "text") return part;
    const trimmed = place === first ? told + part.text.trimStart() : part.text;
    return { type: "text", text: place === last ? trimmed.trimEnd() : trimmed };
  });
}
