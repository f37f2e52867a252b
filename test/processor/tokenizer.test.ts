/** Our token ids and rendered conversations against the reference's. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { tokenId } from "../../src/base/ids.ts";
import type { ChatMessage, ContentPart } from "../../src/generation/request.ts";
import { Detokenizer } from "../../src/tokenizer/detokenize.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { goldenCheckpoint } from "../support/golden.ts";

const golden = fileURLToPath(new URL("../golden/", import.meta.url));
const ids = z.array(z.number());

const Encodings = z.object({
  encodings: z.array(z.object({ text: z.string(), tokenIds: ids, tokenIdsPlain: ids.optional() })),
});
const Part = z.object({ type: z.string(), text: z.string().optional() });
const Templates = z.object({
  renderings: z.array(
    z.object({
      messages: z.array(
        z.object({ role: z.string(), content: z.union([z.string(), z.array(Part)]) }),
      ),
      addGenerationPrompt: z.boolean(),
      text: z.string(),
      tokenIds: ids,
    }),
  ),
});

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(golden + path, "utf8"));
}

describe.each(["toy", "trained"])("the %s tokenizer", async (name) => {
  const tokenizer = await openTokenizer(`${golden}tokenizer/${name}`);
  afterAll(() => tokenizer[Symbol.asyncDispose]());
  const { encodings } = Encodings.parse(readJson(`tokenizer/${name}/encodings.json`));

  test("gives the reference's ids, with special strings and without", async () => {
    expect(encodings.length).toBeGreaterThanOrEqual(200);
    for (const { text, tokenIds, tokenIdsPlain } of encodings) {
      expect(await tokenizer.encode(text, { specialTokens: true })).toEqual(tokenIds);
      expect(await tokenizer.encode(text, { specialTokens: false })).toEqual(
        tokenIdsPlain ?? tokenIds,
      );
    }
  });

  test("gives the text back, token by token", () => {
    for (const { text, tokenIds } of encodings) {
      const detokenizer = new Detokenizer();
      const pieces = tokenIds.map((id) =>
        detokenizer.push(tokenizer.vocabulary.bytesOf(tokenId(id))),
      );
      expect([...pieces, detokenizer.end()].join("")).toBe(text);
    }
  });
});

describe("the toy checkpoints' chat template", async () => {
  const tokenizer = await openTokenizer(goldenCheckpoint("tiny-a"));
  afterAll(() => tokenizer[Symbol.asyncDispose]());
  const { renderings } = Templates.parse(readJson("template/templates.json"));
  // Roles and kinds of content that our requests cannot express are left out.
  const ours = renderings.flatMap((rendering) => {
    const messages = toMessages(rendering.messages);
    return messages === undefined ? [] : [{ ...rendering, messages }];
  });

  test("renders and encodes as the reference does", async () => {
    expect(ours.length).toBeGreaterThanOrEqual(14);
    for (const { messages, addGenerationPrompt, text, tokenIds } of ours) {
      const rendered = await tokenizer.renderChat(messages, {
        addGenerationPrompt,
        dateString: "26 Jul 2024",
      });
      expect(rendered).toEqual({ text, tokenIds });
    }
  });
});

const Role = z.enum(["system", "user", "assistant"]);

function toMessages(
  messages: z.infer<typeof Templates>["renderings"][number]["messages"],
): ChatMessage[] | undefined {
  const converted = messages.flatMap((message): ChatMessage[] => {
    const role = Role.safeParse(message.role).data;
    const parts =
      typeof message.content === "string"
        ? [textPart(message.content)]
        : message.content.flatMap((part) => toPart(part) ?? []);
    const isWhole = typeof message.content === "string" || parts.length === message.content.length;
    return role !== undefined && isWhole ? [{ role, content: parts }] : [];
  });
  return converted.length === messages.length ? converted : undefined;
}

function toPart({ type, text }: z.infer<typeof Part>): ContentPart | undefined {
  if (type === "image") return { type: "image", image: { bytes: new Uint8Array(0) } };
  return type === "text" && text !== undefined ? textPart(text) : undefined;
}

function textPart(text: string): ContentPart {
  return { type: "text", text };
}
