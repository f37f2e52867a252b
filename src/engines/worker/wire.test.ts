import {
  GenerateReplySchema,
  GenerateRequestSchema,
  LoadRequestSchema,
  ModelInfoSchema,
} from "@atalaya/protocol/engine";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { errorTraits, PlatformError } from "../../base/errors.ts";
import { tokenId } from "../../base/ids.ts";
import type { EngineEvent, EngineSampling } from "../../generation/engine-prompt.ts";
import type { EngineLoadOptions } from "../engine.ts";
import {
  fromGenerateReply,
  fromGenerateRequest,
  fromLoadRequest,
  fromModelInfo,
  fromPicture,
  toGenerateReply,
  toGenerateRequest,
  toLoadRequest,
  toModelInfo,
} from "./wire.ts";
import { fromConnectError, toConnectError } from "./wire-error.ts";

const sampling: EngineSampling = {
  maxTokens: 17,
  temperature: 0.7,
  topK: 40,
  topP: 0.9,
  minP: 0.05,
  presencePenalty: -1.5,
  frequencyPenalty: 2,
  repetitionPenalty: 1.1,
  seed: 4_294_967_295,
  stopTokenIds: [tokenId(2), tokenId(6)],
  logprobs: 5,
};

describe("what goes in comes out, through the bytes", () => {
  test.each([
    ["all named", sampling],
    ["nothing optional", { ...sampling, seed: undefined, logprobs: undefined, stopTokenIds: [] }],
    [
      "what rules out and in",
      {
        ...sampling,
        maxTokens: 0,
        logitBias: [{ tokenId: tokenId(7), bias: -100 }],
        minTokens: 3,
        grammar: 'root ::= "yes" | "no"',
        promptLogprobs: { start: 1, numAlternatives: 0 },
      },
    ],
    ["zeros", { ...sampling, seed: 0, logprobs: 0, temperature: 0, topK: 0 }],
  ])("a request, %s", (_name, wanted) => {
    const prompt = {
      tokenIds: [1, 256, 9].map(tokenId),
      pictures: [
        { width: 2, height: 1, pixels: Uint8Array.of(1, 2, 3, 4, 5, 6), contentHash: "ab" },
        { width: 1, height: 1, pixels: Uint8Array.of(1, 2, 3), contentHash: "cd", maxTiles: 1 },
      ],
    };
    const bytes = toBinary(GenerateRequestSchema, toGenerateRequest(prompt, wanted));
    expect(fromGenerateRequest(fromBinary(GenerateRequestSchema, bytes))).toEqual({
      prompt,
      sampling: wanted,
    });
  });

  test.each<EngineEvent>([
    { type: "token", tokenId: tokenId(0), logprob: undefined, topLogprobs: [] },
    {
      type: "token",
      tokenId: tokenId(63),
      logprob: -0.25,
      topLogprobs: [{ tokenId: tokenId(63), logprob: -0.25 }],
    },
    { type: "prompt-token", tokenId: tokenId(256), logprob: -3.5, topLogprobs: [] },
    { type: "finish", reason: "stop" },
    { type: "finish", reason: "length" },
    {
      type: "image",
      imageIndex: 2,
      width: 640,
      height: 480,
      grid: { rows: 1, columns: 2 },
      resized: { width: 144, height: 108 },
      aspectRatioId: 2,
      cached: true,
      cachedIn: "disk",
      encodeMs: 0,
    },
  ])("the event %j", (event) => {
    const bytes = toBinary(GenerateReplySchema, toGenerateReply(event));
    expect(fromGenerateReply(fromBinary(GenerateReplySchema, bytes), 64)).toEqual(event);
  });

  test.each<EngineLoadOptions>([
    {
      directory: "/models/llama",
      profile: "hf",
      maxModelLen: 8_192,
      maxNumSeqs: 4,
      kvCacheDtype: "f32",
      numThreads: 2,
      quantization: "4-bit",
      engineOptions: { dtype: "float32", gpu_memory_utilization: 0.8, enforce_eager: true },
    },
    {
      directory: "/models/llama",
      profile: "ref",
      maxModelLen: undefined,
      maxNumSeqs: undefined,
      kvCacheDtype: undefined,
      numThreads: undefined,
      quantization: "none",
      engineOptions: {},
    },
  ])("load options of $profile", (options) => {
    const bytes = toBinary(LoadRequestSchema, toLoadRequest(options));
    expect(fromLoadRequest(fromBinary(LoadRequestSchema, bytes))).toEqual(options);
  });

  test("a model's facts", () => {
    const model = {
      contextLength: 131_072,
      vocabSize: 128_256,
      numEmbeddings: 128_264,
      imageTokenId: tokenId(128_256),
      bosTokenId: tokenId(128_000),
      stopTokenIds: [128_001, 128_008, 128_009].map(tokenId),
      visionTokensPerTile: 1_601,
    };
    const bytes = toBinary(ModelInfoSchema, toModelInfo(model));
    expect(fromModelInfo(fromBinary(ModelInfoSchema, bytes))).toEqual(model);
  });
});

describe("what no sound process sends is refused", () => {
  test.each([
    ["no size", { width: 0, height: 4, pixels: new Uint8Array(), contentHash: "" }],
    ["too few bytes", { width: 2, height: 2, pixels: new Uint8Array(11), contentHash: "" }],
    ["too many bytes", { width: 2, height: 2, pixels: new Uint8Array(13), contentHash: "" }],
  ])("a picture with %s", (_name, { width, height, pixels, contentHash }) => {
    const { pictures } = create(GenerateRequestSchema, {
      pictures: [{ width, height, pixels, contentHash }],
    });
    const [picture] = pictures;
    if (picture === undefined) throw new Error("no picture");
    expect(() => fromPicture(picture)).toThrow(/are no picture of/);
  });

  test("a request without sampling, an event without a kind", () => {
    expect(() => fromGenerateRequest(create(GenerateRequestSchema))).toThrow(/no sampling/);
    expect(() => fromGenerateReply(create(GenerateReplySchema), 64)).toThrow(/without a kind/);
  });

  test.each([
    ["a token of no vocabulary", { tokenId: 64 }, /token 64 of 64/],
    ["a log-probability that is none", { tokenId: 1, logprob: Number.NaN }, /is none/],
    ["an infinite one", { tokenId: 1, topLogprobs: [{ tokenId: 1, logprob: -1 / 0 }] }, /is none/],
  ])("%s", (_name, value, message) => {
    const reply = create(GenerateReplySchema, { event: { case: "token", value } });
    expect(() => fromGenerateReply(reply, 64)).toThrow(message);
  });

  test("a reason that nobody knows", () => {
    const value = { reason: "bored" };
    const reply = create(GenerateReplySchema, { event: { case: "finish", value } });
    expect(() => fromGenerateReply(reply, 64)).toThrow(/unknown finish reason/);
  });
});

describe("errors", () => {
  test.each(Object.keys(errorTraits) as (keyof typeof errorTraits)[])("%s arrives", (code) => {
    const error = fromConnectError(
      toConnectError(new PlatformError(code, "Größe 20 × 30 – zu 画")),
    );
    expect(error).toMatchObject({ code, message: "Größe 20 × 30 – zu 画" });
  });

  test("a bug's text stays in the worker", () => {
    const sent = toConnectError(new TypeError("cannot read /home/somebody/secret"));
    expect(sent.message).not.toContain("secret");
    expect(fromConnectError(sent)).toMatchObject({
      code: "worker_failed",
      message: expect.stringContaining("is still running"),
    });
  });

  test("a code that nobody knows is a failed worker that lives", () => {
    const strange = new ConnectError("x", Code.Internal, { "atalaya-error-code": "toString" });
    expect(fromConnectError(strange)).toMatchObject({
      code: "worker_failed",
      message: expect.stringContaining("is still running"),
    });
  });

  test("a broken connection says nothing", () => {
    expect(fromConnectError(new ConnectError("reset", Code.Internal))).toBeUndefined();
    expect(fromConnectError(new Error("ECONNRESET"))).toBeUndefined();
  });
});
