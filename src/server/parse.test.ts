import { ChatCompletionRequest, CompletionRequest } from "@atalaya/protocol";
import { describe, expect, test } from "vitest";
import { parse } from "./parse.ts";

const chat = (fields: object): object => ({
  model: "m",
  messages: [{ role: "user", content: "hi" }],
  ...fields,
});

describe("what is wrong with a field is one sentence with the field and the value", () => {
  test.each([
    { body: { messages: [] }, says: '"model" is missing; it must be text.' },
    { body: chat({ messages: [] }), says: '"messages" must have at least 1 items, but has 0.' },
    {
      body: chat({ temperature: "0.7" }),
      says: '"temperature" must be a finite number, but is "0.7".',
    },
    { body: chat({ temperature: 2.1 }), says: '"temperature" must be at most 2, but is 2.1.' },
    { body: chat({ temperature: -0.1 }), says: '"temperature" must be at least 0, but is -0.1.' },
    {
      body: chat({ temperature: JSON.parse("1e400") }),
      says: '"temperature" must be a finite number, but is Infinity.',
    },
    { body: chat({ max_tokens: 0 }), says: '"max_tokens" must be at least 1, but is 0.' },
    { body: chat({ max_tokens: 1.5 }), says: '"max_tokens" must be a whole number, but is 1.5.' },
    { body: chat({ top_p: 0 }), says: '"top_p" must be more than 0, but is 0.' },
    { body: chat({ stream: "yes" }), says: '"stream" must be true or false, but is "yes".' },
    {
      body: chat({ seed: 2 ** 64 }),
      says: `"seed" must be less than ${2 ** 63}, but is ${2 ** 64}.`,
    },
    { body: chat({ stop: [""] }), says: '"stop[0]" must have at least 1 characters, but has 0.' },
    {
      body: chat({ stop: ["a", "b", "c", "d", "e"] }),
      says: '"stop" must have at most 4 items, but has 5.',
    },
    {
      body: chat({ top_logprobs: 1_000_000 }),
      says: '"top_logprobs" must be at most 20, but is 1000000.',
    },
    {
      body: chat({ messages: [{ role: "root", content: "x" }] }),
      says: /^"messages\[0\]\.role" must be "system" or .*, but is "root"\.$/,
    },
    {
      body: chat({ messages: [{ role: "user", content: 7 }] }),
      says: '"messages[0].content" must be text or a list, but is 7.',
    },
    {
      body: chat({ messages: [{ role: "user", content: [{ type: "text" }] }] }),
      says: '"messages[0].content[0].text" is missing; it must be text.',
    },
    {
      body: chat({ messages: [{ role: "user", content: [{ type: "input_audio" }] }] }),
      says: '"messages[0].content[0].type" must be "text" or "input_text" or "image_url" or "input_image" or "input_file" or "image" or "file", but is "input_audio".',
    },
    {
      body: chat({ messages: [{ role: "user", content: [{ type: "image_url", image_url: 7 }] }] }),
      says: '"messages[0].content[0].image_url" must be text or an object, but is 7.',
    },
  ])("$says", ({ body, says }) => {
    expect(() => parse(ChatCompletionRequest, body)).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        message: says instanceof RegExp ? expect.stringMatching(says) : says,
      }),
    );
  });

  test.each([
    { prompt: ["x", 5], says: /^"prompt\[1\]" must be text, but is 5\.$/ },
    { prompt: [5, "x"], says: /^"prompt\[1\]" must be a finite number, but is "x"\.$/ },
    { prompt: Array(129).fill("x"), says: /^"prompt" must have at most 128 items, but has 129\.$/ },
    { prompt: [[5], [6, -1]], says: /^"prompt\[1\]\[1\]" must be at least 0, but is -1\.$/ },
  ])("of the forms that a prompt may have the one that was meant: $says", ({ prompt, says }) => {
    expect(() => parse(CompletionRequest, { model: "m", prompt })).toThrow(says);
  });

  test("null stands for what is not set", () => {
    const body = chat({ temperature: null, stop: null, seed: null, stream: null });
    expect(parse(ChatCompletionRequest, body)).toMatchObject({ temperature: null });
  });

  test("unknown fields stay, so that they can be listed", () => {
    expect(parse(ChatCompletionRequest, chat({ user: "u" }))).toMatchObject({ user: "u" });
  });
});
