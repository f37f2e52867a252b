import { OllamaChatRequest, OllamaGenerateRequest } from "@atalaya/protocol";
import { describe, expect, test } from "vitest";
import type { ModelFacts } from "../../../supervisor/router.ts";
import { fromOllamaChat, fromOllamaGenerate } from "./to-generate-request.ts";

const about: ModelFacts = {
  uid: "demo",
  profile: "ref",
  contextLength: 4_096,
  hasChatTemplate: true,
  defaultSampling: { temperature: 0.6, topK: 0, topP: 0.9, minP: 0, repetitionPenalty: 1 },
};
const bytes = Buffer.from("p");
const image = { type: "image", image: { bytes } };
const hello = [{ role: "user", content: "hi" }];
const chat = (fields: object) =>
  fromOllamaChat(OllamaChatRequest.parse({ model: "m", messages: hello, ...fields }), about);
const generate = (fields: object, facts: Partial<ModelFacts> = {}) =>
  fromOllamaGenerate(OllamaGenerateRequest.parse({ model: "m", ...fields }), {
    ...about,
    ...facts,
  });

describe("a chat", () => {
  test("has its pictures in front of its text, in every form they come in", () => {
    const base64 = bytes.toString("base64");
    const images = [
      base64,
      `data:image/png;base64,${base64}`,
      { type: "Buffer", data: [...bytes] },
      [...bytes],
    ];
    const { request } = chat({ messages: [{ role: "user", content: "What?", images }] });
    expect(request.prompt).toMatchObject({
      messages: [{ content: [image, image, image, image, { type: "text", text: "What?" }] }],
    });
  });

  test("may have turns without text", () => {
    const messages = [{ role: "assistant" }, { role: "user", content: null, images: [[112]] }];
    expect(chat({ messages }).request.prompt).toMatchObject({
      messages: [
        { content: [{ type: "text", text: "" }] },
        { content: [{ type: "image" }, { type: "text", text: "" }] },
      ],
    });
  });

  test("gives calls ids, and results those of the first open call of their function", () => {
    const called = (name: string) => ({ function: { name, arguments: { a: 1 } } });
    const { prompt } = chat({
      messages: [
        { role: "assistant", tool_calls: [called("f"), called("g"), called("f")] },
        { role: "tool", tool_name: "g", content: "1" },
        { role: "tool", content: "2" },
        { role: "tool", tool_name: "f", content: "3" },
      ],
    }).request;
    expect(prompt).toMatchObject({
      messages: [
        {
          toolCalls: [{ id: "call_0_0", arguments: '{"a":1}' }, { name: "g" }, { id: "call_0_2" }],
        },
        { role: "tool", toolCallId: "call_0_1" },
        { role: "tool", toolCallId: "call_0_0" },
        { role: "tool", toolCallId: "call_0_2" },
      ],
    });
  });

  test("lists what nothing reads, once each", () => {
    const messages = [
      { role: "user", content: "a", name: "me" },
      { role: "user", content: "b", name: "me", tool_calls: [] },
    ];
    expect(chat({ messages, options: { num_gpu: 1 } }).ignoredFields).toEqual([
      "options.num_gpu",
      "messages[].name",
    ]);
  });
});

describe("options", () => {
  const sampling = (options: object) => chat({ options }).request.sampling;

  test("set what they name, and leave the model's defaults elsewhere", () => {
    expect(
      sampling({ num_predict: 7, temperature: 0, top_k: 5, repeat_penalty: 1.1, stop: "x" }),
    ).toMatchObject({
      maxTokens: 7,
      fitMaxTokens: true,
      temperature: 0,
      topK: 5,
      topP: 0.9,
      repetitionPenalty: 1.1,
      stop: ["x"],
    });
  });

  test.each([undefined, null, -1, -2])("num_predict %j is as many as fit", (num_predict) => {
    expect(sampling({ num_predict }).maxTokens).toBeUndefined();
  });

  test.each([
    { options: { num_predict: 0 }, code: "invalid_request", param: "options.num_predict" },
    { options: { num_ctx: 4_097 }, code: "context_length_exceeded", param: "options.num_ctx" },
    { options: { mirostat: 2 }, code: "unsupported_parameter", param: "options.mirostat" },
    { options: { typical_p: 0.5 }, code: "unsupported_parameter", param: "options.typical_p" },
    {
      options: { repeat_penalty: 1.2, repeat_last_n: 64 },
      code: "unsupported_parameter",
      param: "options.repeat_last_n",
    },
  ])("$options are refused by name", ({ options, code, param }) => {
    expect(() => chat({ options })).toThrow(expect.objectContaining({ code, details: { param } }));
  });

  test("that ask for nothing are no fault", () => {
    const options = { mirostat: 0, tfs_z: 1, num_ctx: 4_096, repeat_last_n: 64 };
    expect(chat({ options }).ignoredFields).toEqual(["options.repeat_last_n"]);
    expect(chat({ options: { repeat_penalty: 2, repeat_last_n: -1 } }).ignoredFields).toEqual([]);
  });

  test("top_p 0 keeps the likeliest token", () => {
    expect(sampling({ top_p: 0 }).topP).toBeGreaterThan(0);
    expect(sampling({ top_p: 0 }).topP).toBeLessThan(1e-9);
  });
});

describe("a prompt", () => {
  test("is a turn of the user, behind what the system says", () => {
    expect(generate({ prompt: "What?", system: "S", images: [[112]] }).request.prompt).toEqual({
      type: "chat",
      messages: [
        { role: "system", content: [{ type: "text", text: "S" }] },
        {
          role: "user",
          content: [
            { type: "image", image: { bytes: Buffer.of(112) } },
            { type: "text", text: "What?" },
          ],
        },
      ],
    });
  });

  test.each([
    { why: "raw", fields: { raw: true }, facts: {} },
    { why: "for a base model", fields: {}, facts: { hasChatTemplate: false } },
  ])("$why is what the model continues", ({ fields, facts }) => {
    const { prompt } = generate({ prompt: "It is", ...fields }, facts).request;
    expect(prompt).toEqual({ type: "raw", text: "It is", images: [], bos: "auto" });
    expect(() => generate({ prompt: "It is", system: "S", ...fields }, facts)).toThrow(
      expect.objectContaining({ details: { param: "system" } }),
    );
  });
});
