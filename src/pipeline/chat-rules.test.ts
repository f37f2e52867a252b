import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChatMessage, ContentPart } from "../generation/request.ts";
import { applyChatRules } from "./chat-rules.ts";

const text = (value: string): ContentPart => ({ type: "text", text: value });
const picture = (name: number): ContentPart => ({
  type: "image",
  image: { bytes: Uint8Array.of(name) },
});
const [first, second] = [picture(1), picture(2)];
const turn = (role: ChatMessage["role"], ...content: ContentPart[]): ChatMessage => ({
  role,
  content,
});

describe("the pictures of a turn", () => {
  test("go in front of its text, in order, as one group", () => {
    expect(applyChatRules([turn("user", text("a"), first, text("b"), second)])).toEqual({
      messages: [turn("user", first, second, text("a"), text("b"))],
      changes: ["pictures-hoisted"],
    });
  });

  test("stay where they are when the caller says so", () => {
    const messages = [turn("user", text("a"), first, text("b"), second)];
    expect(applyChatRules(messages, { imageOrder: "keep" })).toEqual({ messages, changes: [] });
  });

  test("stay in their own turn", () => {
    const messages = [
      turn("user", first, text("a")),
      turn("assistant", text("b")),
      turn("user", second, text("c")),
    ];
    expect(applyChatRules(messages)).toEqual({ messages, changes: [] });
  });
});

describe("adjacent turns of one role", () => {
  test("become one, and its pictures go in front of both texts", () => {
    // LangChain's Ollama client sends the question first, and the picture as a turn with empty text.
    expect(
      applyChatRules([turn("user", text("What is it?")), turn("user", text(""), first)]),
    ).toEqual({
      messages: [turn("user", first, text("What is it?"))],
      changes: ["empty-text-dropped", "turns-merged", "pictures-hoisted"],
    });
  });

  test("keep their texts two line breaks apart", () => {
    expect(
      applyChatRules([
        turn("user", text("a")),
        turn("user", first, text("b"), text("c")),
        turn("assistant", text("d")),
        turn("assistant", text("e")),
      ]).messages,
    ).toEqual([
      turn("user", first, text("a"), text("\n\nb"), text("c")),
      turn("assistant", text("d"), text("\n\ne")),
    ]);
  });

  test("are merged too when system text between them is moved away", () => {
    expect(
      applyChatRules([turn("user", text("a")), turn("system", text("S")), turn("user", first)]),
    ).toEqual({
      messages: [turn("user", first, text("S\n\na"))],
      changes: ["system-text-moved", "turns-merged", "pictures-hoisted"],
    });
  });
});

describe("system text", () => {
  test("stays a turn of its own when there is no picture", () => {
    const messages = [turn("system", text("Be brief.")), turn("user", text("Hi"))];
    expect(applyChatRules(messages)).toEqual({ messages, changes: [] });
  });

  test("goes in front of the first user text when there is a picture anywhere", () => {
    expect(
      applyChatRules([
        turn("system", text("Be "), text("brief.\n")),
        turn("user", text("What is it?")),
        turn("assistant", text("A cube.")),
        turn("user", first, text("And now?")),
      ]),
    ).toEqual({
      messages: [
        turn("user", text("Be brief.\n\nWhat is it?")),
        turn("assistant", text("A cube.")),
        turn("user", first, text("And now?")),
      ],
      changes: ["system-text-moved"],
    });
  });

  test("stands behind a picture that has no text beside it", () => {
    const { messages } = applyChatRules([turn("system", text("S")), turn("user", first)]);
    expect(messages).toEqual([turn("user", first, text("S"))]);
  });

  test("takes its own pictures along", () => {
    expect(
      applyChatRules([turn("system", text("S"), first), turn("user", second, text("a"))]).messages,
    ).toEqual([turn("user", first, second, text("S\n\na"))]);
  });

  test("leaves nothing behind when it is blank", () => {
    const { messages } = applyChatRules([turn("system", text(" ")), turn("user", first)]);
    expect(messages).toEqual([turn("user", first)]);
  });
});

describe("empty text", () => {
  test("is dropped, with an assistant's turn that holds nothing else", () => {
    expect(
      applyChatRules([turn("user", text("a"), text("")), turn("assistant", text(""))]),
    ).toEqual({ messages: [turn("user", text("a"))], changes: ["empty-text-dropped"] });
  });

  test("leaves a user's turn", () => {
    expect(applyChatRules([turn("user", text(""))]).messages).toEqual([turn("user")]);
  });
});

describe("whatever is sent", () => {
  const part = fc.oneof(
    fc.constantFrom("", " ", "a", "b").map(text),
    fc.constantFrom(first, second),
  );
  const turns = fc.array(
    fc.record({
      role: fc.constantFrom<ChatMessage["role"]>("system", "user", "assistant"),
      content: fc.array(part, { maxLength: 4 }),
    }),
    { maxLength: 6 },
  );
  const picturesOf = (messages: readonly ChatMessage[]): ContentPart[] =>
    messages.flatMap(({ content }) => content.filter(({ type }) => type === "image"));

  test("no picture of users and assistants is lost or changes places with another", () => {
    fc.assert(
      fc.property(turns, fc.constantFrom("hoist", "keep"), (sent, imageOrder) => {
        const messages = sent.map((message) =>
          message.role === "system"
            ? { ...message, content: message.content.filter(({ type }) => type === "text") }
            : message,
        );
        expect(picturesOf(applyChatRules(messages, { imageOrder }).messages)).toEqual(
          picturesOf(messages),
        );
      }),
    );
  });

  test("applying the rules again changes nothing", () => {
    fc.assert(
      fc.property(turns, (messages) => {
        const { messages: ruled } = applyChatRules(messages);
        expect(applyChatRules(ruled)).toEqual({ messages: ruled, changes: [] });
      }),
    );
  });
});
