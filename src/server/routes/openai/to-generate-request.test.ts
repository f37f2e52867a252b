import { ChatCompletionRequest, CompletionRequest } from "@atalaya/protocol";
import { describe, expect, test } from "vitest";
import type { GenerateRequest } from "../../../generation/request.ts";
import {
  fromChatRequest,
  fromCompletionRequest,
  ignoredInMessages,
} from "./to-generate-request.ts";

const defaults = { temperature: 0.6, topK: 0, topP: 0.9, minP: 0, repetitionPenalty: 1 };

function chat(fields: object): GenerateRequest {
  const body = { model: "m", messages: [{ role: "user", content: "hi" }], ...fields };
  return fromChatRequest(ChatCompletionRequest.parse(body), defaults);
}

describe("a chat request", () => {
  test("keeps the order of texts and pictures", () => {
    const url = `data:image/png;base64,${Buffer.from("p").toString("base64")}`;
    const content = [
      { type: "text", text: "a" },
      { type: "image_url", image_url: { url, detail: "high" } },
      { type: "image_url", image_url: url },
      { type: "text", text: "b" },
    ];
    const image = { type: "image", image: { bytes: Buffer.from("p") } };
    expect(chat({ messages: [{ role: "user", content }] }).prompt).toEqual({
      type: "chat",
      messages: [
        {
          role: "user",
          content: [{ type: "text", text: "a" }, image, image, { type: "text", text: "b" }],
        },
      ],
    });
  });

  test("says whether pictures stay where they stand", () => {
    expect(chat({ image_order: "keep" }).prompt).toMatchObject({ imageOrder: "keep" });
    expect(chat({ image_order: null }).prompt).toMatchObject({ imageOrder: undefined });
  });

  test("starts from the model's defaults, field by field", () => {
    expect(chat({ temperature: 0 }).sampling).toMatchObject({ temperature: 0, topP: 0.9 });
    expect(chat({ top_p: null }).sampling).toMatchObject({ temperature: 0.6, topP: 0.9 });
  });

  test("takes the newer of the two length limits", () => {
    expect(chat({ max_tokens: 3, max_completion_tokens: 5 }).sampling.maxTokens).toBe(5);
    expect(chat({ max_tokens: 3 }).sampling.maxTokens).toBe(3);
    expect(chat({}).sampling.maxTokens).toBeUndefined();
  });

  test("reports log-probabilities only when asked", () => {
    expect(chat({}).sampling.logprobs).toBeUndefined();
    expect(chat({ logprobs: true }).sampling.logprobs).toBe(0);
    expect(chat({ logprobs: true, top_logprobs: 4 }).sampling.logprobs).toBe(4);
    expect(() => chat({ top_logprobs: 4 })).toThrow(/needs "logprobs": true/);
  });

  test("calls a developer's message the system's", () => {
    const { prompt } = chat({ messages: [{ role: "developer", content: "x" }] });
    expect(prompt).toMatchObject({ messages: [{ role: "system" }] });
  });

  test("names what nothing reads, once each", () => {
    const image_url = { url: "data:,", detail: "low" as const };
    const message = {
      role: "user" as const,
      name: "me",
      content: [{ type: "image_url" as const, image_url }],
    };
    expect(ignoredInMessages([message, message])).toEqual(["messages[].name"]);
    expect(ignoredInMessages([{ role: "assistant", content: null, tool_calls: [] }])).toEqual([]);
  });

  test.each([
    {
      why: "a tool's result without its call",
      message: { role: "tool", content: "x" },
      param: "messages[0].tool_call_id",
    },
    {
      why: "calls of the user's",
      message: { role: "user", content: "x", tool_calls: [{ id: "c", function: { name: "f" } }] },
      param: "messages[0]",
    },
    {
      why: "a call of another type",
      message: { role: "assistant", tool_calls: [{ id: "c", type: "custom", custom: {} }] },
      param: "messages[0].tool_calls[0].type = custom",
    },
    { why: "no content", message: { role: "user", content: null }, param: "messages[0].content" },
  ])("with $why is refused by the field's name", ({ message, param }) => {
    expect(() => chat({ messages: [message] })).toThrow(
      expect.objectContaining({ details: { param } }),
    );
  });

  test("with nine pictures is refused before one is decoded", () => {
    const content = Array.from({ length: 9 }, () => ({ type: "image_url", image_url: "data:,x" }));
    expect(() => chat({ messages: [{ role: "user", content }] })).toThrow(
      /9 pictures; the most is 8/,
    );
  });
});

describe("a plain completion", () => {
  const complete = (fields: object): GenerateRequest =>
    fromCompletionRequest(
      CompletionRequest.parse({ model: "m", prompt: "x", ...fields }),
      defaults,
    )[0];

  test("is a raw prompt, at most 16 tokens unless it says more", () => {
    expect(complete({ prompt: ["only"] })).toMatchObject({
      prompt: { type: "raw", text: "only", bos: "auto", images: [] },
      sampling: { maxTokens: 16, stop: [] },
    });
    expect(complete({ max_tokens: 99, stop: "\n" }).sampling).toMatchObject({
      maxTokens: 99,
      stop: ["\n"],
    });
  });

  test("brings its pictures as bare base64 or data: URLs", () => {
    const base64 = Buffer.from("p").toString("base64");
    const { prompt } = complete({ images: [base64, `data:;base64,${base64}`] });
    expect(prompt).toMatchObject({
      images: [{ bytes: Buffer.from("p") }, { bytes: Buffer.from("p") }],
    });
  });

  test("has stream options only when it streams", () => {
    expect(() => complete({ stream_options: { include_usage: true } })).toThrow(
      /needs "stream": true/,
    );
  });
});
