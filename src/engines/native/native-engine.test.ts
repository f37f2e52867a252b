import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  greedy,
  IMAGE_TOKEN,
  type Script,
  ScriptedRunner,
  scriptedPicture,
} from "../../../test/support/scripted-runner.ts";
import { PlatformError } from "../../base/errors.ts";
import { tokenId } from "../../base/ids.ts";
import type { EngineEvent, EnginePrompt } from "../../generation/engine-prompt.ts";
import { NativeEngine, type NativeEngineOptions } from "./native-engine.ts";

const never = new AbortController().signal;

function textPrompt(...ids: readonly number[]): EnginePrompt {
  return { tokenIds: ids.map(tokenId), pictures: [] };
}

function picturePrompt(...shades: readonly number[]): EnginePrompt {
  return {
    tokenIds: [tokenId(1), ...shades.map(() => IMAGE_TOKEN), tokenId(9)],
    pictures: shades.map(scriptedPicture),
  };
}

function start(script: Script = {}, options: NativeEngineOptions = {}) {
  const runner = new ScriptedRunner(script);
  return { runner, engine: new NativeEngine(runner, options) };
}

async function collect(
  engine: NativeEngine,
  prompt: EnginePrompt,
  maxTokens: number,
  // As every request has one of its own.
  signal = new AbortController().signal,
): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const event of engine.generate(prompt, { sampling: greedy(maxTokens), signal })) {
    events.push(event);
  }
  return events;
}

const tokensOf = (events: readonly EngineEvent[]): number[] =>
  events.flatMap((event) => (event.type === "token" ? [event.tokenId] : []));

describe("answers", () => {
  test("a request for no tokens ends after the prompt", async () => {
    const { engine } = start();
    expect(await collect(engine, textPrompt(5), 0)).toEqual([{ type: "finish", reason: "length" }]);
  });

  test("come as images, tokens and one finish", async () => {
    const { engine } = start();
    await using _ = engine;
    const events = await collect(engine, picturePrompt(3, 4), 3);
    expect(events.map(({ type }) => type)).toEqual([
      "image",
      "image",
      "token",
      "token",
      "token",
      "finish",
    ]);
    expect(events.at(-1)).toEqual({ type: "finish", reason: "length" });
  });

  test("end at a stop token, which is reported", async () => {
    const { engine } = start();
    await using _ = engine;
    const [first] = tokensOf(await collect(engine, textPrompt(5, 6), 1));
    const sampling = { ...greedy(9), stopTokenIds: [tokenId(first ?? 0)] };
    const events: EngineEvent[] = [];
    for await (const event of engine.generate(textPrompt(5, 6), { sampling, signal: never })) {
      events.push(event);
    }
    expect(events).toMatchObject([
      { type: "token", tokenId: first },
      { type: "finish", reason: "stop" },
    ]);
  });

  test("end where the context is full", async () => {
    const { engine } = start({ contextLength: 10 });
    await using _ = engine;
    const events = await collect(engine, textPrompt(1, 2, 3, 4, 5, 6), 100);
    expect(tokensOf(events)).toHaveLength(4);
    expect(events.at(-1)).toEqual({ type: "finish", reason: "length" });
  });

  test("are the same alone, in company, and when the cache is too small for all", async () => {
    const request = fc.record({
      ids: fc.array(fc.integer({ min: 1, max: 63 }), { minLength: 1, maxLength: 24 }),
      shades: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
      maxTokens: fc.integer({ min: 1, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 12, max: 30 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 16 }),
        async (requests, numBlocks, maxNumSeqs, maxBatchedTokens) => {
          const prompts = requests.map(({ ids, shades }) => ({
            tokenIds: [...shades.map(() => IMAGE_TOKEN), ...ids.map(tokenId)],
            pictures: shades.map(scriptedPicture),
          }));
          const ask = (engine: NativeEngine, index: number): Promise<EngineEvent[]> => {
            const prompt = prompts[index];
            if (prompt === undefined) throw new Error("no prompt");
            return collect(engine, prompt, requests[index]?.maxTokens ?? 1);
          };
          const small = start(
            { numBlocks, blockSize: 4 },
            { maxNumSeqs, maxBatchedTokens, pictureBudgetBytes: 1_000 },
          );
          await using engine = small.engine;
          const together = await Promise.all(requests.map((_, index) => ask(engine, index)));
          for (const [index, events] of together.entries()) {
            const roomy = start();
            await using alone = roomy.engine;
            expect(tokensOf(events)).toEqual(tokensOf(await ask(alone, index)));
            expect(events.at(-1)).toEqual({ type: "finish", reason: "length" });
          }
          expect(engine.stats()).toMatchObject({ numRunning: 0, numWaiting: 0, kvBlocksUsed: 0 });
        },
      ),
      { numRuns: 60 },
    );
  });

  test("given up for want of blocks are computed again from where they were", async () => {
    const { engine, runner } = start({ numBlocks: 10, blockSize: 4 });
    await using _ = engine;
    const both = await Promise.all([
      collect(engine, textPrompt(1, 2, 3), 25),
      collect(engine, textPrompt(4, 5, 6), 25),
    ]);
    expect(both.map((events) => tokensOf(events).length)).toEqual([25, 25]);
    // A prompt has three tokens; whoever runs more at once runs its own answer again.
    expect(runner.steps.flat().filter((count) => count > 3)).toHaveLength(1);
  });

  test("go on while a long prompt is read in chunks", async () => {
    const { engine, runner } = start({}, { maxBatchedTokens: 8 });
    await using _ = engine;
    const first = collect(engine, textPrompt(1, 2, 3), 12);
    const long = collect(engine, textPrompt(...Array.from({ length: 40 }, () => 7)), 1);
    await Promise.all([first, long]);
    const mixed = runner.steps.filter((step) => step.length === 2);
    expect(mixed.length).toBeGreaterThanOrEqual(5);
    for (const step of runner.steps) {
      expect(step.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(8);
    }
    // The running answer has its one token in each of them.
    for (const step of mixed) expect(step[0]).toBe(1);
  });
});

describe("pictures", () => {
  test("in use stay within their budget, whoever asks first is served first, and all are", async () => {
    let mostHeld = 0;
    const { engine, runner } = start(
      {
        onStep: (batch) => {
          const held = new Set(batch.flatMap(({ pictures }) => pictures));
          mostHeld = Math.max(mostHeld, held.size);
        },
      },
      { pictureBudgetBytes: 3_000 },
    );
    await using _ = engine;
    const finished: number[] = [];
    await Promise.all(
      Array.from({ length: 6 }, async (_unused, index) => {
        await collect(engine, picturePrompt(2 * index, 2 * index + 1), 6);
        finished.push(index);
      }),
    );
    expect(mostHeld).toBeLessThanOrEqual(3);
    expect(finished).toEqual([0, 1, 2, 3, 4, 5]);
    // What is kept when all are done is within it, too.
    expect(runner.encoded.filter(({ isDisposed }) => !isDisposed)).toHaveLength(3);
  });

  test("of one request may exceed the budget when it is alone", async () => {
    const { engine } = start({}, { pictureBudgetBytes: 1_000 });
    await using _ = engine;
    const both = await Promise.all([
      collect(engine, picturePrompt(1, 2, 3), 4),
      collect(engine, picturePrompt(4, 5), 4),
    ]);
    expect(both.map((events) => tokensOf(events).length)).toEqual([4, 4]);
  });

  test("that find no memory are out_of_memory", async () => {
    const { engine } = start({
      onEncode: () => {
        throw new Error("ggml could not allocate the graph's buffers");
      },
    });
    await using _ = engine;
    await expect(collect(engine, picturePrompt(1), 1)).rejects.toMatchObject({
      code: "out_of_memory",
    });
  });
});

describe("cancelling", () => {
  test("ends the answer and frees its blocks before the next step", async () => {
    const { engine } = start();
    await using _ = engine;
    const abort = new AbortController();
    const seen: EngineEvent[] = [];
    const options = { sampling: greedy(900), signal: abort.signal };
    for await (const event of engine.generate(picturePrompt(5), options)) {
      seen.push(event);
      if (seen.length === 4) abort.abort();
    }
    expect(seen.length).toBeLessThan(8);
    expect(seen.some(({ type }) => type === "finish")).toBe(false);
    expect(engine.stats()).toMatchObject({ numRunning: 0, numWaiting: 0, kvBlocksUsed: 0 });
  });

  test("by leaving the loop, too", async () => {
    const { engine } = start();
    await using _ = engine;
    const options = { sampling: greedy(900), signal: never };
    for await (const event of engine.generate(textPrompt(1), options)) {
      if (event.type === "token") break;
    }
    // The loop notices before it takes another step.
    await collect(engine, textPrompt(2), 1);
    expect(engine.stats()).toMatchObject({ numRunning: 0, kvBlocksUsed: 0 });
  });

  test("takes a waiting request out of the queue", async () => {
    const { engine } = start({}, { maxNumSeqs: 1 });
    await using _ = engine;
    const running = collect(engine, textPrompt(1), 30);
    const abort = new AbortController();
    const waiting = collect(engine, textPrompt(2), 30, abort.signal);
    await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    expect(await waiting).toEqual([]);
    expect(tokensOf(await running)).toHaveLength(30);
  });

  test("a request that waits to run again lets go of its pictures", async () => {
    // Two answers that do not fit together: the younger gives its blocks back and waits.
    const abort = new AbortController();
    const { engine, runner } = start(
      {
        numBlocks: 10,
        blockSize: 4,
        onStep: () => {
          if (runner.steps.length > 9 && engine.stats().numWaiting > 0) abort.abort();
        },
      },
      { pictureBudgetBytes: 1_000 },
    );
    await using _ = engine;
    await Promise.all([
      collect(engine, textPrompt(1, 2, 3), 30),
      collect(engine, picturePrompt(5), 30, abort.signal),
    ]);
    expect(abort.signal.aborted).toBe(true);
    // There is room for one picture's states: those that nobody holds make room for the next.
    await collect(engine, picturePrompt(6), 1);
    expect(runner.encoded.map(({ isDisposed }) => isDisposed)).toEqual([true, false]);
  });

  test("before it began gives nothing and runs nothing", async () => {
    const { engine, runner } = start();
    await using _ = engine;
    expect(await collect(engine, textPrompt(1), 5, AbortSignal.abort())).toEqual([]);
    expect(runner.steps).toEqual([]);
  });
});

describe("failures", () => {
  test("of a step end its requests as worker_failed; the next is served", async () => {
    let isBroken = true;
    const { engine } = start({
      onStep: () => {
        if (isBroken) throw new Error("graph");
      },
    });
    await using _ = engine;
    const both = await Promise.allSettled([
      collect(engine, textPrompt(1), 3),
      collect(engine, picturePrompt(2), 3),
    ]);
    for (const result of both) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "worker_failed" } });
    }
    expect(engine.stats()).toMatchObject({ numRunning: 0, kvBlocksUsed: 0 });
    isBroken = false;
    expect(tokensOf(await collect(engine, textPrompt(1), 3))).toHaveLength(3);
  });

  test.each([
    ["NaN everywhere", (logits: Float32Array) => logits.fill(Number.NaN)],
    ["one NaN", (logits: Float32Array) => logits.fill(Number.NaN, 3, 4)],
    ["an overflow", (logits: Float32Array) => logits.fill(Number.POSITIVE_INFINITY, 3, 4)],
    ["nothing above -∞", (logits: Float32Array) => logits.fill(Number.NEGATIVE_INFINITY)],
  ])(
    "of the numbers (%s) end the request with a sentence, not with tokens (MF-12)",
    async (_name, spoil) => {
      const { engine } = start({
        onLogits: (logits, { startPosition }) => {
          if (startPosition > 1) spoil(logits);
        },
      });
      await using _ = engine;
      await expect(collect(engine, textPrompt(5, 6), 5)).rejects.toMatchObject({
        code: "worker_failed",
        message: expect.stringContaining("numbers for token 2 of the answer are not finite"),
      });
      expect(engine.stats()).toMatchObject({ numRunning: 0, kvBlocksUsed: 0 });
    },
  );

  test("of a picture end its request alone, and the picture may be sent again", async () => {
    let isBroken = true;
    const { engine } = start({
      onEncode: ({ pixels }) => {
        if (isBroken && pixels[0] === 6) throw new PlatformError("out_of_memory", "no room");
      },
    });
    await using _ = engine;
    const [bad, good] = await Promise.allSettled([
      collect(engine, picturePrompt(6), 3),
      collect(engine, picturePrompt(5), 3),
    ]);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "out_of_memory" } });
    expect(good).toMatchObject({ status: "fulfilled" });
    isBroken = false;
    expect(tokensOf(await collect(engine, picturePrompt(6), 3))).toHaveLength(3);
  });

  test("a request larger than the whole cache is out_of_memory, and only that one", async () => {
    const { engine } = start({ numBlocks: 3, blockSize: 4 });
    await using _ = engine;
    const [large, small] = await Promise.allSettled([
      collect(engine, textPrompt(1, 2, 3), 30),
      collect(engine, textPrompt(4), 5),
    ]);
    expect(large).toMatchObject({ status: "rejected", reason: { code: "out_of_memory" } });
    expect(small).toMatchObject({ status: "fulfilled" });
  });

  test("a full queue refuses at once", async () => {
    const { engine } = start({}, { maxNumSeqs: 1, maxWaiting: 2 });
    await using _ = engine;
    const asked = Array.from({ length: 6 }, () => collect(engine, textPrompt(1), 2));
    const codes = (await Promise.allSettled(asked)).map((result) =>
      result.status === "rejected" ? (result.reason as PlatformError).code : "answered",
    );
    expect(codes.filter((code) => code === "queue_full").length).toBeGreaterThan(0);
    expect(new Set(codes)).toEqual(new Set(["queue_full", "answered"]));
  });

  test.each([
    ["no tokens", textPrompt(), /prompt is empty/, "invalid_request"],
    ["a token of no vocabulary", textPrompt(1, 999), /token id 999/, "invalid_request"],
    ["a fraction", textPrompt(1, 1.5), /token id 1.5/, "invalid_request"],
    [
      "a marker without a picture",
      { tokenIds: [tokenId(1), IMAGE_TOKEN], pictures: [] },
      /1 image tokens and 0 pictures/,
      "invalid_request",
    ],
    [
      "a picture without a marker",
      { tokenIds: [tokenId(1)], pictures: [scriptedPicture(1)] },
      /0 image tokens and 1 pictures/,
      "invalid_request",
    ],
    [
      "more than the context",
      textPrompt(...Array.from({ length: 1_000 }, () => 1)),
      /The prompt has 1000 tokens; this model takes 999/,
      "context_length_exceeded",
    ],
  ] as const)("%s is refused", async (_name, prompt, message, code) => {
    const { engine, runner } = start();
    await using _ = engine;
    await expect(collect(engine, prompt, 2)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(runner.steps).toEqual([]);
  });
});

describe("ending", () => {
  test("stops what runs, frees every picture and the runner, and refuses what comes", async () => {
    const { engine, runner } = start();
    const running = collect(engine, picturePrompt(1, 2), 900);
    while (runner.steps.length < 3) await new Promise((resolve) => setImmediate(resolve));
    await engine[Symbol.asyncDispose]();
    expect(tokensOf(await running).length).toBeLessThan(900);
    await new Promise((resolve) => setImmediate(resolve));
    expect(runner.encoded.map(({ isDisposed }) => isDisposed)).toEqual([true, true]);
    expect(runner.isDisposed).toBe(true);
    await expect(collect(engine, textPrompt(1), 1)).rejects.toMatchObject({
      code: "model_not_ready",
    });
  });
});

describe("a beginning that was there before", () => {
  const long = (first: number, count: number): EnginePrompt =>
    textPrompt(...Array.from({ length: count }, (_, index) => 1 + ((first + index) % 50)));

  test("is not computed again, and changes nothing", async () => {
    const { engine, runner } = start({ blockSize: 4 });
    await using _ = engine;
    const first = tokensOf(await collect(engine, long(1, 21), 3));
    const before = runner.steps.length;
    const second = tokensOf(await collect(engine, long(1, 21), 3));
    expect(second).toEqual(first);
    // Five full blocks of four; the last token's logits are computed.
    expect(runner.steps[before]).toEqual([1]);
    expect(engine.stats()).toMatchObject({ promptTokens: 42, reusedTokens: 20, kvBlocksUsed: 0 });
  });

  test("goes on from an answer too: the next turn of a conversation", async () => {
    const { engine, runner } = start({ blockSize: 4 });
    await using _ = engine;
    const answer = tokensOf(await collect(engine, long(1, 6), 7));
    const before = runner.steps.length;
    const next = textPrompt(...long(1, 6).tokenIds, ...answer, 9, 8);
    const alone = start({ blockSize: 4 });
    expect(tokensOf(await collect(engine, next, 3))).toEqual(
      tokensOf(await collect(alone.engine, next, 3)),
    );
    // Twelve of fifteen are in three full blocks; the last token of the first answer was never run.
    expect(runner.steps[before]).toEqual([3]);
  });

  test("with another picture is another beginning", async () => {
    const { engine } = start({ blockSize: 2 });
    await using _ = engine;
    const prompt = (shade: number): EnginePrompt => ({
      tokenIds: [1, 2, IMAGE_TOKEN, 4, 5, 6, 7, 8].map(tokenId),
      pictures: [scriptedPicture(shade)],
    });
    await collect(engine, prompt(3), 2);
    await collect(engine, prompt(4), 2);
    expect(engine.stats().reusedTokens).toBe(2);
    await collect(engine, prompt(3), 2);
    expect(engine.stats().reusedTokens).toBe(2 + 6);
  });

  test("whatever is asked in whatever order, answers are those of an engine that never saw anything", async () => {
    const request = fc.record({
      beginning: fc.nat(2),
      length: fc.integer({ min: 1, max: 30 }),
      shades: fc.array(fc.nat(2), { maxLength: 2 }),
      tail: fc.nat(3),
      maxTokens: fc.integer({ min: 1, max: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 12 }), async (requests) => {
        const { engine } = start({ blockSize: 4, numBlocks: 14 }, { maxBatchedTokens: 8 });
        const prompts = requests.map(
          ({ beginning, length, shades, tail }): EnginePrompt => ({
            tokenIds: [
              ...long(beginning * 7, length).tokenIds,
              ...shades.map(() => IMAGE_TOKEN),
              tokenId(1 + tail),
            ],
            pictures: shades.map(scriptedPicture),
          }),
        );
        const together = await Promise.all(
          prompts.map((prompt, index) => collect(engine, prompt, requests[index]?.maxTokens ?? 1)),
        );
        for (const [index, prompt] of prompts.entries()) {
          const fresh = start({ blockSize: 4, numBlocks: 14 });
          const alone = await collect(fresh.engine, prompt, requests[index]?.maxTokens ?? 1);
          expect(tokensOf(together[index] ?? [])).toEqual(tokensOf(alone));
        }
        expect(engine.stats().kvBlocksUsed).toBe(0);
        await engine[Symbol.asyncDispose]();
      }),
      { numRuns: 60 },
    );
  });
});

describe("a picture that takes long", () => {
  test("lets running answers go on between its parts", async () => {
    const { engine, runner } = start({ numEncodeParts: 12 });
    await using _ = engine;
    const tokensAtPart: number[] = [];
    const running = (async () => {
      let count = 0;
      const sampling = greedy(40);
      for await (const event of engine.generate(textPrompt(5, 6), { sampling, signal: never })) {
        if (event.type === "token") tokensAtPart[count++] = runner.numPartsEncoded;
      }
    })();
    const seeing = collect(engine, picturePrompt(3), 2);
    await Promise.all([running, seeing]);
    // A token for every part, none waits for two of them.
    const waits = tokensAtPart.slice(1).map((part, index) => part - (tokensAtPart[index] ?? 0));
    expect(Math.max(...waits)).toBe(1);
    expect(runner.numPartsEncoded).toBe(12);
  });

  test("is given up when nobody waits for it any more, and begun anew for the next", async () => {
    const { engine, runner } = start({ numEncodeParts: 1_000 });
    await using _ = engine;
    const stop = new AbortController();
    const given = collect(engine, picturePrompt(3), 2, stop.signal);
    while (runner.numPartsEncoded < 5) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    expect(await given).toEqual([]);
    const parts = runner.numPartsEncoded;
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(runner.numPartsEncoded).toBe(parts);
    expect(runner.encoded).toHaveLength(0);
    expect(engine.stats()).toMatchObject({ cachedPictures: 0, numRunning: 0 });
    const events = await collect(engine, picturePrompt(3), 2);
    expect(events[0]).toMatchObject({ type: "image", cached: false });
    expect(runner.encoded).toHaveLength(1);
  });

  test("goes on when one of two lets go of it", async () => {
    const { engine, runner } = start({ numEncodeParts: 200 });
    await using _ = engine;
    const stop = new AbortController();
    const given = collect(engine, picturePrompt(3), 2, stop.signal);
    const kept = collect(engine, picturePrompt(3), 2);
    while (runner.numPartsEncoded < 5) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await given;
    expect(tokensOf(await kept)).toHaveLength(2);
    expect(runner.numPartsEncoded).toBe(200);
  });

  test("keeps nobody waiting whose picture is there", async () => {
    const { engine, runner } = start({ numEncodeParts: 400 });
    await using _ = engine;
    await collect(engine, picturePrompt(3), 2);
    const slow = collect(engine, picturePrompt(4), 2);
    while (runner.numPartsEncoded < 405) await new Promise((resolve) => setImmediate(resolve));
    await collect(engine, picturePrompt(3), 2);
    expect(runner.numPartsEncoded).toBeLessThan(500);
    await slow;
  });

  test("ends with the engine", async () => {
    const { engine, runner } = start({ numEncodeParts: 100_000 });
    const cut = collect(engine, picturePrompt(3), 2);
    while (runner.numPartsEncoded < 5) await new Promise((resolve) => setImmediate(resolve));
    await engine[Symbol.asyncDispose]();
    await cut;
    expect(runner.numPartsEncoded).toBeLessThan(100);
    expect(runner.isDisposed).toBe(true);
  });
});

test("a long prompt comes in pieces that a running answer can wait for", async () => {
  const numTokensOf = (batch: readonly { readonly tokenIds: readonly unknown[] }[]): number =>
    batch.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const { engine, runner } = start({
    onStep: (batch) => sleep(4 * numTokensOf(batch)),
  });
  await using _ = engine;
  const answering = collect(engine, textPrompt(5, 6), 30);
  while (runner.steps.length < 3) await sleep(2);
  const long = textPrompt(...Array.from({ length: 120 }, (_, index) => 1 + (index % 50)));
  await Promise.all([answering, collect(engine, long, 2)]);
  const beside = runner.steps.filter((step) => step.length > 1).map((step) => Math.max(...step));
  expect(beside.length).toBeGreaterThan(3);
  // A tenth of a second holds 25 tokens here.
  expect(Math.max(...beside)).toBeLessThanOrEqual(30);
});
