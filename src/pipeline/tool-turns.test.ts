import { describe, expect, test } from "vitest";
import type { ChatMessage, ContentPart } from "../generation/request.ts";
import type { ToolCall } from "../generation/tools.ts";
import { applyChatRules } from "./chat-rules.ts";
import { linkToolTurns } from "./tool-turns.ts";

const text = (value: string): ContentPart => ({ type: "text", text: value });
const picture: ContentPart = { type: "image", image: { bytes: Uint8Array.of(1) } };
const user: ChatMessage = { role: "user", content: [text("Where?")] };
const call = (id: string): ToolCall => ({ id, name: "find", arguments: "{}" });
const calls = (...ids: string[]): ChatMessage => ({
  role: "assistant",
  content: [],
  toolCalls: ids.map(call),
});
const result = (toolCallId?: string): ChatMessage => ({
  role: "tool",
  content: [text(`of ${toolCallId}`)],
  field: "messages[9].tool_call_id",
  ...(toolCallId !== undefined && { toolCallId }),
});

describe("a tool's result", () => {
  test("that names no call answers the first that is open", () => {
    const linked = linkToolTurns([user, calls("a", "b"), result(), result()]);
    expect(linked.map(({ toolCallId }) => toolCallId)).toEqual([undefined, undefined, "a", "b"]);
  });

  test("may come late, and an id may come again once it was answered", () => {
    const turns = [user, calls("a"), result("a"), calls("a"), user, result("a")];
    expect(linkToolTurns(turns)).toEqual(turns);
  });

  test.each([
    ["of nobody's call", [user, result("a")], "messages[9].tool_call_id"],
    ["in front of its call", [user, result("a"), calls("a")], "messages[9].tool_call_id"],
    ["given twice", [user, calls("a"), result("a"), result("a")], "messages[9].tool_call_id"],
    ["without any call", [user, result()], "messages[9].tool_call_id"],
  ])("%s is refused by the field's name", (_what, turns, param) => {
    expect(() => linkToolTurns(turns)).toThrow(
      expect.objectContaining({ code: "invalid_request", details: { param } }),
    );
  });
});

test("pictures of results stand behind the last of them, in a turn of the user's", () => {
  const seeing = (id: string): ChatMessage => ({ ...result(id), content: [text(id), picture] });
  const turns = [user, calls("a", "b"), seeing("a"), seeing("b"), user];
  const { messages, changes } = applyChatRules(turns);
  expect(messages).toEqual([
    user,
    calls("a"),
    { ...result("a"), content: [text("a")] },
    calls("b"),
    { ...result("b"), content: [text("b")] },
    { role: "user", content: [picture, picture, text("Where?")] },
  ]);
  expect(changes).toEqual(["result-pictures-moved", "tool-calls-split", "turns-merged"]);
});

describe("calls and results among other turns", () => {
  test("stay by themselves, and may be empty", () => {
    const turns = [
      user,
      calls("a"),
      { ...result("a"), content: [text("")] },
      calls("b"),
      result("b"),
      { role: "assistant", content: [text("There.")] } as const,
    ];
    expect(applyChatRules(turns)).toEqual({ messages: turns, changes: [] });
  });

  test("of several calls each is followed by its result, those without stay too", () => {
    const { messages, changes } = applyChatRules([
      user,
      calls("a", "b", "c"),
      result("c"),
      result("a"),
      user,
    ]);
    expect(messages).toEqual([
      user,
      calls("a"),
      result("a"),
      calls("b"),
      calls("c"),
      result("c"),
      user,
    ]);
    expect(changes).toEqual(["tool-calls-split"]);
  });

  test("lose the text beside them, which is told", () => {
    const turns = [user, { ...calls("a"), content: [text("I look.")] }, result("a")];
    expect(applyChatRules(turns)).toEqual({
      messages: [user, calls("a"), result("a")],
      changes: ["text-beside-call-dropped"],
    });
  });
});
