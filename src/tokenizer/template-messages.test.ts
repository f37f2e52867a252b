import { describe, expect, test } from "vitest";
import type { ChatMessage, ContentPart } from "../generation/request.ts";
import { toTemplateMessages } from "./template-messages.ts";

const text = (value: string): ContentPart => ({ type: "text", text: value });
const image: ContentPart = { type: "image", image: { bytes: new Uint8Array(0) } };
const message = (role: ChatMessage["role"], ...content: ContentPart[]): ChatMessage => ({
  role,
  content,
});

describe("toTemplateMessages", () => {
  test("content is a string, unless there is a picture in it", () => {
    expect(
      toTemplateMessages(
        [message("user", text("a"), text("b")), message("user", text("c "), image, text(""))],
        {
          form: { content: "string", besideTools: undefined, takesToolsWithPictures: false },
          shield: [],
        },
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
        form: { content: "list", besideTools: undefined, takesToolsWithPictures: false },
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
      {
        form: { content: "list", besideTools: undefined, takesToolsWithPictures: false },
        shield: [["<", "\ue000"]],
      },
    );
    expect(JSON.stringify(shielded)).not.toContain("<");
  });
});
