import { describe, expect, test } from "vitest";
import type { ChatMessage, ContentPart } from "../generation/request.ts";
import { foldSystemIntoUser, toTemplateMessages } from "./template-messages.ts";

const text = (value: string): ContentPart => ({ type: "text", text: value });
const image: ContentPart = { type: "image", image: { bytes: new Uint8Array(0) } };
const message = (role: ChatMessage["role"], ...content: ContentPart[]): ChatMessage => ({
  role,
  content,
});

describe("foldSystemIntoUser", () => {
  test("without a picture, messages stay as they are", () => {
    const messages = [message("system", text("Be brief.")), message("user", text("Hi"))];
    expect(foldSystemIntoUser(messages)).toBe(messages);
  });

  test("with a picture anywhere, system text goes in front of the first user text", () => {
    expect(
      foldSystemIntoUser([
        message("system", text("Be "), text("brief.\n")),
        message("user", image, text("What is it?")),
        message("assistant", text("A cube.")),
        message("user", text("And now?")),
      ]),
    ).toEqual([
      message("user", image, text("Be brief.\n\nWhat is it?")),
      message("assistant", text("A cube.")),
      message("user", text("And now?")),
    ]);
  });

  test("a user message with a picture alone gets the text behind it", () => {
    expect(foldSystemIntoUser([message("system", text("S")), message("user", image)])).toEqual([
      message("user", image, text("S")),
    ]);
  });

  test("empty system text leaves nothing behind", () => {
    expect(foldSystemIntoUser([message("system", text(" ")), message("user", image)])).toEqual([
      message("user", image),
    ]);
  });
});

describe("toTemplateMessages", () => {
  test("content is a string, unless there is a picture in it", () => {
    expect(
      toTemplateMessages(
        [message("user", text("a"), text("b")), message("user", text("c "), image, text(""))],
        { form: "string", shield: [] },
      ),
    ).toEqual([
      { role: "user", content: "ab" },
      {
        role: "user",
        content: [{ type: "text", text: "c " }, { type: "image" }, { type: "text", text: "" }],
      },
    ]);
  });

  test("a template that wants lists gets lists, but for system text", () => {
    expect(
      toTemplateMessages([message("system", text("s")), message("user", text("a"), text("b"))], {
        form: "list",
        shield: [],
      }),
    ).toEqual([
      { role: "system", content: "s" },
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
    ]);
  });

  test("every text is shielded", () => {
    const shielded = toTemplateMessages(
      [message("system", text("<1")), message("user", image, text("<2"))],
      { form: "list", shield: [["<", "\ue000"]] },
    );
    expect(JSON.stringify(shielded)).not.toContain("<");
  });
});
