import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { goldenCheckpoint } from "../../test/support/golden.ts";
import { greedy as plain } from "../../test/support/greedy.ts";
import { tokenId } from "../base/ids.ts";
import type { Engine, EngineModelInfo } from "../engines/engine.ts";
import type { EngineEvent, EnginePrompt, EngineSampling } from "../generation/engine-prompt.ts";
import type { GenerateEvent } from "../generation/event.ts";
import type { ChatMessage, GenerateRequest, SamplingParams } from "../generation/request.ts";
import { dayMonthYear, Pipeline } from "./pipeline.ts";

/** The toy tokenizer's numbers: 0 to 6 special, a token for each byte, 256 the picture. */
const model: EngineModelInfo = {
  contextLength: 64,
  vocabSize: 256,
  numEmbeddings: 264,
  imageTokenId: tokenId(256),
  bosTokenId: tokenId(1),
  stopTokenIds: [tokenId(2), tokenId(6)],
  visionTokensPerTile: 17,
};

const pipeline = await Pipeline.open(goldenCheckpoint("tiny-a"));
afterAll(() => pipeline[Symbol.asyncDispose]());
const picture = await sharp({ create: { width: 5, height: 3, channels: 3, background: "#f00" } })
  .png()
  .toBuffer();
const image = { type: "image", image: { bytes: picture } } as const;

/** An engine that says what it is told to, and remembers what it was asked and whether it was left. */
class ScriptedEngine implements Engine {
  readonly kind = "native";
  readonly model: EngineModelInfo;
  readonly events: readonly EngineEvent[];
  asked: { prompt: EnginePrompt; sampling: EngineSampling } | undefined;
  numSaid = 0;
  wasLeft = false;

  constructor(events: readonly EngineEvent[], change: Partial<EngineModelInfo> = {}) {
    this.events = events;
    this.model = { ...model, ...change };
  }

  async *generate(
    prompt: EnginePrompt,
    { sampling }: { readonly sampling: EngineSampling },
  ): AsyncGenerator<EngineEvent, void> {
    this.asked = { prompt, sampling };
    try {
      for (const event of this.events) {
        this.numSaid += 1;
        yield event;
      }
    } finally {
      this.wasLeft = this.numSaid < this.events.length;
    }
  }

  stats = (): never => {
    throw new Error("not asked for");
  };
  problem = (): undefined => undefined;
  [Symbol.asyncDispose] = async (): Promise<void> => {};
}

const token = (id: number): EngineEvent => ({
  type: "token",
  tokenId: tokenId(id),
  logprob: undefined,
  topLogprobs: [],
});

/** Tokens that spell a text, one for each byte, as the toy tokenizer numbers them. */
async function spell(text: string): Promise<EngineEvent[]> {
  const ids = await pipeline.tokenizer.encode(text, { specialTokens: true });
  return ids.map(token);
}

const end = (reason: "stop" | "length"): EngineEvent => ({ type: "finish", reason });

function raw(text: string, change: Partial<SamplingParams> = {}): GenerateRequest {
  return {
    prompt: { type: "raw", text, images: [], bos: "auto" },
    sampling: { ...plain, ...change },
  };
}

function chat(...messages: ChatMessage[]): GenerateRequest {
  return { prompt: { type: "chat", messages }, sampling: plain };
}

async function answer(
  engine: Engine,
  request: GenerateRequest,
): Promise<{ events: GenerateEvent[]; text: string; last: GenerateEvent | undefined }> {
  const events: GenerateEvent[] = [];
  const { signal } = new AbortController();
  for await (const event of pipeline.generate(engine, request, { signal })) events.push(event);
  const text = events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
  return { events, text, last: events.at(-1) };
}

async function refusal(request: GenerateRequest, change: Partial<EngineModelInfo> = {}) {
  const engine = new ScriptedEngine([end("stop")], change);
  const failure = await answer(engine, request).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(engine.asked).toBeUndefined();
  return failure;
}

describe("an answer's text", () => {
  test("comes from tokens that may be parts of characters", async () => {
    const said = await spell("é 🙂!");
    const { events, text, last } = await answer(
      new ScriptedEngine([...said, token(6), end("stop")]),
      raw("Hi"),
    );
    expect(text).toBe("é 🙂!");
    const deltas = events.flatMap((event) => (event.type === "text-delta" ? [event] : []));
    expect(deltas.every((delta) => delta.text.isWellFormed())).toBe(true);
    expect(deltas.flatMap((delta) => delta.tokens.map(({ tokenId: id }) => token(id)))).toEqual([
      ...said,
      token(6),
    ]);
    expect(last).toEqual({
      type: "finish",
      reason: "stop",
      usage: {
        promptTokens: 3,
        completionTokens: said.length + 1,
        imageTokens: 0,
        cachedTokens: 0,
      },
    });
  });

  test("begins with the prompt's own tokens", async () => {
    const { events } = await answer(
      new ScriptedEngine([end("length")]),
      raw("<|image|>".slice(0, 3)),
    );
    expect(events[0]).toEqual({
      type: "started",
      promptTokenIds: await pipeline.tokenizer.encode("<|begin_of_text|><|i", {
        specialTokens: true,
      }),
      changes: [],
      seenByLastTurn: [],
    });
  });

  test("leaves special tokens out, with their bytes in the report", async () => {
    const { events, text } = await answer(
      new ScriptedEngine([...(await spell("a<|reserved_special_token_0|>b")), end("length")]),
      raw("Hi"),
    );
    expect(text).toBe("ab");
    const special = events.find((event) => event.type === "text-delta" && event.text === "");
    expect(special).toMatchObject({
      tokens: [{ bytes: new TextEncoder().encode("<|reserved_special_token_0|>") }],
    });
  });

  test("half a character at the end is shown as such", async () => {
    const [first = end("stop")] = await spell("é");
    const { text, last } = await answer(new ScriptedEngine([first, end("length")]), raw("Hi"));
    expect(text).toBe("\ufffd");
    expect(last).toMatchObject({ reason: "length", usage: { completionTokens: 1 } });
  });

  test("an id without a token is nothing", async () => {
    const { text } = await answer(new ScriptedEngine([token(263), end("length")]), raw("Hi"));
    expect(text).toBe("");
  });
});

describe("a stop string", () => {
  test("ends the answer across tokens, is not part of it, and stops the engine", async () => {
    const engine = new ScriptedEngine([...(await spell("one. STOP and more")), end("length")]);
    const { text, last } = await answer(engine, raw("Hi", { stop: [" STOP"] }));
    expect(text).toBe("one.");
    expect(last).toMatchObject({ reason: "stop", usage: { completionTokens: 9 } });
    expect(engine.wasLeft).toBe(true);
  });

  test("that stays open is given back at the end", async () => {
    const engine = new ScriptedEngine([...(await spell("one. STO")), end("length")]);
    expect((await answer(engine, raw("Hi", { stop: [" STOP"] }))).text).toBe("one. STO");
    expect(engine.wasLeft).toBe(false);
  });
});

test("pictures are decoded, hashed and counted", async () => {
  const report = {
    imageIndex: 0,
    width: 5,
    height: 3,
    grid: { rows: 1, columns: 2 },
    resized: { width: 28, height: 16 },
    aspectRatioId: 2,
    cached: false,
    encodeMs: 1,
  };
  const engine = new ScriptedEngine([{ type: "image", ...report }, end("stop")]);
  const { events, last } = await answer(
    engine,
    chat({ role: "user", content: [image, { type: "text", text: "<|image|> what?" }] }),
  );
  const pictures = engine.asked?.prompt.pictures ?? [];
  expect(pictures).toMatchObject([{ width: 5, height: 3 }]);
  expect(pictures[0]?.contentHash).toMatch(/^[0-9a-f]{64}$/);
  expect([...(pictures[0]?.pixels ?? [])].slice(0, 3)).toEqual([255, 0, 0]);
  expect(engine.asked?.prompt.tokenIds.filter((id) => id === 256)).toHaveLength(1);
  expect(events[1]).toEqual({ type: "image", report });
  expect(last).toMatchObject({ usage: { imageTokens: 34 } });
});

describe("a conversation", () => {
  const roomy = { contextLength: 1_024 };

  test("is put in order, and the answer begins by saying so", async () => {
    const engine = new ScriptedEngine([end("stop")], roomy);
    const question = { type: "text", text: "what?" } as const;
    const messages: ChatMessage[] = [
      { role: "system", content: [{ type: "text", text: "S" }] },
      { role: "user", content: [image, question] },
      { role: "assistant", content: [{ type: "text", text: "a" }] },
      { role: "user", content: [question, image, image] },
    ];
    const { events } = await answer(engine, chat(...messages));
    expect(events[0]).toMatchObject({
      changes: ["system-text-moved", "pictures-hoisted"],
      seenByLastTurn: [false, true, true],
    });
    expect(engine.asked?.prompt.pictures).toHaveLength(3);

    const request: GenerateRequest = {
      prompt: { type: "chat", messages, imageOrder: "keep" },
      sampling: plain,
    };
    const kept = await answer(engine, request);
    expect(kept.events[0]).toMatchObject({ changes: ["system-text-moved"] });
  });

  test("is counted without reading its pictures", async () => {
    const engine = new ScriptedEngine([end("stop")], roomy);
    const broken = { type: "image", image: { bytes: new Uint8Array(3) } } as const;
    const { prompt } = chat({ role: "user", content: [broken, { type: "text", text: "what?" }] });
    const { signal } = new AbortController();
    const numTokens = await pipeline.countTokens(engine, prompt, { signal });
    const { last } = await answer(
      engine,
      chat({ role: "user", content: [image, { type: "text", text: "what?" }] }),
    );
    expect(last).toMatchObject({ usage: { promptTokens: numTokens } });
  });
});

describe("a picture that is an address", () => {
  const remote = { type: "image", image: { url: "https://pictures.example.com/a.png" } } as const;

  test("is fetched, and from there on is a picture like others", async () => {
    const asked: string[] = [];
    const fetching = await Pipeline.open(goldenCheckpoint("tiny-a"), {
      fetchMedia: async (url) => {
        asked.push(url);
        return picture;
      },
    });
    await using _ = fetching;
    const engine = new ScriptedEngine([end("stop")], { contextLength: 1_024 });
    const { signal } = new AbortController();
    for await (const _event of fetching.generate(
      engine,
      chat({ role: "user", content: [remote] }),
      { signal },
    ));
    expect(asked).toEqual(["https://pictures.example.com/a.png"]);
    expect(engine.asked?.prompt.pictures).toMatchObject([{ width: 5, height: 3 }]);
  });

  test("is not fetched when there are too many", async () => {
    const content = Array.from({ length: 9 }, () => remote);
    expect(await refusal(chat({ role: "user", content }))).toMatchObject({
      code: "invalid_request",
    });
  });

  test("is text where it stands in text, and is refused where nothing fetches", async () => {
    const engine = new ScriptedEngine([end("stop")], { contextLength: 1_024 });
    const text = "![](https://pictures.example.com/a.png)";
    await answer(engine, chat({ role: "user", content: [{ type: "text", text }] }));
    expect(engine.asked?.prompt.pictures).toEqual([]);
    const alone = chat({ role: "user", content: [remote] });
    expect(await refusal(alone, { contextLength: 1_024 })).toMatchObject({
      code: "url_not_allowed",
    });
  });
});

describe("what the engine is asked", () => {
  test("no more tokens than the context holds, when they may be fitted", async () => {
    const engine = new ScriptedEngine([end("stop")]);
    await answer(engine, raw("Hi", { maxTokens: 4_096, fitMaxTokens: true }));
    expect(engine.asked?.sampling).toMatchObject({ maxTokens: 61 });
    expect(engine.asked?.sampling).not.toHaveProperty("fitMaxTokens");
  });

  test("as many tokens as the context holds, unless the caller wants fewer", async () => {
    const engine = new ScriptedEngine([end("stop")]);
    await answer(engine, raw("Hi"));
    expect(engine.asked?.sampling).toMatchObject({ maxTokens: 61, stopTokenIds: [2, 6] });
    await answer(engine, raw("Hi", { maxTokens: 5, seed: -1 }));
    expect(engine.asked?.sampling).toMatchObject({ maxTokens: 5, seed: 2 ** 32 - 1 });
    expect(engine.asked?.sampling).not.toHaveProperty("stop");
  });
});

describe("a request that cannot be is refused before the engine is asked", () => {
  test.each([
    {
      why: "a prompt as long as the context",
      request: raw("x".repeat(63)),
      code: "context_length_exceeded",
      says: "has 64 tokens; this model takes 64",
    },
    {
      why: "an answer longer than the room that is left",
      request: raw("xxx", { maxTokens: 61 }),
      code: "context_length_exceeded",
      says: "Ask for at most 60",
    },
    {
      why: "NaN",
      request: raw("x", { temperature: Number.NaN }),
      code: "invalid_request",
      says: "temperature is NaN",
    },
    {
      why: "half a character",
      request: raw("\ud83d"),
      code: "invalid_request",
      says: "half a character",
    },
    { why: "no messages", request: chat(), code: "invalid_request", says: "no messages" },
    {
      why: "nine pictures",
      request: chat({ role: "user", content: Array.from({ length: 9 }, () => image) }),
      code: "invalid_request",
      says: "9 pictures; at most 8",
    },
    {
      why: "a picture that is none",
      request: chat({
        role: "user",
        content: [{ type: "image", image: { bytes: Buffer.from("GIF89a") } }],
      }),
      code: "invalid_image",
      says: "The GIF picture (6 bytes)",
    },
    {
      why: "markers without pictures",
      request: raw("<|image|><|image|> what?"),
      code: "invalid_request",
      says: "2 <|image|> markers and 0 pictures",
    },
    {
      why: "an empty prompt",
      request: {
        prompt: { type: "raw", text: "", images: [], bos: "never" },
        sampling: plain,
      } satisfies GenerateRequest,
      code: "invalid_request",
      says: "The prompt is empty",
    },
  ])("$why", async ({ request, code, says }) => {
    expect(await refusal(request)).toMatchObject({ code, message: expect.stringContaining(says) });
  });

  test("tokens that the model has no embedding for", async () => {
    expect(await refusal(raw("xyz"), { numEmbeddings: 100 })).toMatchObject({
      code: "corrupt_model_file",
      message: expect.stringContaining("100 embeddings"),
    });
  });

  test("a model whose tokens the tokenizer does not know", async () => {
    expect(await refusal(raw("xyz"), { imageTokenId: tokenId(300) })).toMatchObject({
      code: "corrupt_model_file",
      message: expect.stringContaining("names token 300"),
    });
  });
});

test("an engine that ends without saying why is a bug, not an answer", async () => {
  await expect(answer(new ScriptedEngine([]), raw("Hi"))).rejects.toThrow("without saying why");
});

test("a caller that has left is not served", async () => {
  const engine = new ScriptedEngine([end("stop")]);
  const events = pipeline.generate(engine, raw("Hi"), { signal: AbortSignal.abort() });
  await expect(events.next()).rejects.toMatchObject({ code: "cancelled" });
  expect(engine.asked).toBeUndefined();
});

test("the date is written as the templates' own language writes it", () => {
  expect(dayMonthYear(new Date(2026, 10, 3))).toBe("03 Nov 2026");
  expect(dayMonthYear(new Date(2026, 8, 23))).toBe("23 Sep 2026");
});
