/**
 * Settings of a request mean the same to every engine: the native engine's tokens, from each of the others.
 *
 * Where tokens are drawn, vLLM draws with a generator of its own, and only has to repeat itself.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { tokenId } from "../../src/base/ids.ts";
import type { WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import type { EnginePrompt, EngineSampling } from "../../src/generation/engine-prompt.ts";
import type { AnswerForm } from "../../src/generation/request.ts";
import { answerGrammar } from "../../src/grammar/answer-grammar.ts";
import { testedEngines } from "../support/engines.ts";
import { goldenCheckpoint, goldenPicture, manifest } from "../support/golden.ts";
import { type Answer, ask, goldenPrompt, greedily, promptOf } from "../support/native-engine.ts";

// A Python worker reads PyTorch for seconds, on a busy machine for many.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** In float32, so that engines which add in different orders differ by nothing that a choice hangs on. */
const directory = goldenCheckpoint("tiny-a");
const stops = [tokenId(2)];
const schema = {
  type: "object",
  properties: { color: { enum: ["red", "green", "blue"] }, count: { type: "integer" } },
  required: ["color", "count"],
  additionalProperties: false,
};
const form = (what: AnswerForm): { readonly grammar: string } => ({ grammar: answerGrammar(what) });

type Setting = {
  readonly why: string;
  readonly sampling: Partial<EngineSampling>;
  readonly maxTokens?: number;
};

const greedy: readonly Setting[] = [
  { why: "nothing set", sampling: {} },
  { why: "a repetition penalty", sampling: { repetitionPenalty: 1.6 } },
  { why: "less repetition than the model's", sampling: { repetitionPenalty: 0.7 } },
  { why: "a presence penalty", sampling: { presencePenalty: 2 } },
  { why: "a frequency penalty", sampling: { frequencyPenalty: 1.5 } },
  {
    why: "all penalties and a bias",
    sampling: {
      repetitionPenalty: 1.2,
      presencePenalty: 0.5,
      frequencyPenalty: 0.5,
      logitBias: [
        { tokenId: tokenId(40), bias: 3.5 },
        { tokenId: tokenId(40), bias: 1 },
        { tokenId: tokenId(41), bias: -100 },
      ],
    },
  },
  { why: "a least length", sampling: { minTokens: 40 }, maxTokens: 48 },
  { why: "a schema", sampling: form({ type: "json-schema", schema, field: "s" }) },
  { why: "any object", sampling: form({ type: "json-object", field: "s" }), maxTokens: 40 },
  {
    why: "an expression",
    sampling: form({ type: "regex", pattern: "[a-f]{3}-\\d{2}", field: "s" }),
  },
  {
    why: "choices",
    sampling: form({ type: "choices", options: ["yes", "no, never", "ünlikely"], field: "s" }),
  },
  {
    why: "a grammar with a least length",
    sampling: { grammar: "root ::= [a-z ]*", minTokens: 12 },
  },
  {
    why: "a least length that a grammar does not allow",
    sampling: { grammar: 'root ::= "a"', minTokens: 12 },
  },
  { why: "a grammar that never ends", sampling: { grammar: 'root ::= "ab" root' } },
  {
    why: "a grammar with penalties",
    sampling: { grammar: "root ::= [a-z]*", repetitionPenalty: 1.5, presencePenalty: 1 },
  },
];

const drawn: readonly Setting[] = [
  { why: "the temperature alone", sampling: { temperature: 1.2 } },
  { why: "the k likeliest", sampling: { temperature: 1.5, topK: 12 } },
  { why: "a nucleus", sampling: { temperature: 1.3, topP: 0.8 } },
  { why: "all but the unlikely", sampling: { temperature: 2, minP: 0.05 } },
  {
    why: "everything at once",
    sampling: { temperature: 1.4, topK: 40, topP: 0.95, minP: 0.01, repetitionPenalty: 1.1 },
  },
  {
    why: "a grammar",
    sampling: { temperature: 2, ...form({ type: "json-schema", schema, field: "s" }) },
  },
];

const prompts = ["one-tile", "text-only"].map((name): EnginePrompt => {
  const found = manifest.cases.find((one) => one.model === "tiny-a" && one.case === name);
  if (found === undefined) throw new Error(`the goldens lack ${name}`);
  return goldenPrompt(found);
});

const full = ({ sampling, maxTokens = 24 }: Setting, seed?: number): EngineSampling =>
  greedily(maxTokens, { stopTokenIds: stops, seed, ...sampling });

async function answersOf(engine: WorkerDriver, setting: Setting, seed?: number): Promise<Answer[]> {
  return await Promise.all(prompts.map((prompt) => ask(engine, prompt, full(setting, seed))));
}

const shown = (answers: readonly Answer[]): unknown =>
  answers.map(({ tokenIds, events }) => [tokenIds, events.at(-1)]);

const [native, ...others] = testedEngines;
if (native === undefined) throw new Error("there is no native engine");

describe("settings", () => {
  let reference: WorkerDriver;
  beforeAll(async () => {
    reference = await native.start(directory, { kvCacheDtype: "f32" });
  });
  afterAll(async () => {
    await reference[Symbol.asyncDispose]();
  });

  describe.each(others)("to the engine $title", ({ kind, lacks, start, keepsPictures }) => {
    describe.skipIf(lacks !== undefined)("running", () => {
      let engine: WorkerDriver;
      beforeAll(async () => {
        engine = await start(directory);
      });
      afterAll(async () => {
        await engine[Symbol.asyncDispose]();
      });

      test.each(greedy)("$why: the native engine's tokens", async (setting) => {
        const expected = await answersOf(reference, setting);
        expect(shown(await answersOf(engine, setting))).toEqual(shown(expected));
      });

      test.each(drawn)("a seed and $why", async (setting) => {
        const answers = await answersOf(engine, setting, 11);
        expect(shown(await answersOf(engine, setting, 11))).toEqual(shown(answers));
        if (kind === "vllm") return;
        expect(shown(answers)).toEqual(shown(await answersOf(reference, setting, 11)));
      });

      test("each setting changes the answer", async () => {
        const plain = shown(await answersOf(engine, { why: "", sampling: {} }));
        for (const setting of greedy.slice(1).filter(({ maxTokens }) => maxTokens === undefined)) {
          expect([setting.why, shown(await answersOf(engine, setting))]).not.toEqual([
            setting.why,
            plain,
          ]);
        }
      });

      test("log-probabilities of the prompt and of the answer are the native engine's", async () => {
        const [, reading] = prompts;
        if (reading === undefined) throw new Error("no prompt");
        const setting = full({
          why: "",
          sampling: {
            logprobs: 4,
            promptLogprobs: { start: 2, numAlternatives: 3 },
            repetitionPenalty: 1.3,
          },
          maxTokens: 6,
        });
        const [expected, told] = await Promise.all(
          [reference, engine].map(async (one) => (await ask(one, reading, setting)).events),
        );
        expect(told?.map(({ type }) => type)).toEqual(
          expected?.filter(({ type }) => type !== "reused").map(({ type }) => type),
        );
        const numbers = (events: typeof told = []): { ids: number[]; logprobs: number[] } => {
          const tokens = events.flatMap((one) =>
            one.type === "token" || one.type === "prompt-token" ? [one] : [],
          );
          return {
            ids: tokens.flatMap((one) => [
              one.tokenId,
              ...one.topLogprobs.map((top) => top.tokenId),
            ]),
            logprobs: tokens.flatMap((one) => [
              one.logprob ?? Number.NaN,
              ...one.topLogprobs.map((top) => top.logprob),
            ]),
          };
        };
        const [want, have] = [numbers(expected), numbers(told)];
        expect(have.ids).toEqual(want.ids);
        expect(have.logprobs.length).toBeGreaterThan(20);
        const distance = Math.max(
          ...have.logprobs.map((value, index) =>
            Math.abs(value - (want.logprobs[index] ?? Number.NaN)),
          ),
        );
        expect(distance).toBeLessThan(1e-4);
      });

      test("how a picture was seen is told alike, and whether it was known", async () => {
        // One that no other test shows, and none of the engines has seen.
        const seed = 100 + testedEngines.findIndex((one) => one.kind === kind);
        const prompt = promptOf([1, 256, 30], [goldenPicture({ width: 75, height: 40, seed })]);
        const reports = async (one: WorkerDriver): Promise<unknown[]> => {
          const answers = [
            await ask(one, prompt, greedily(1)),
            await ask(one, prompt, greedily(1)),
          ];
          return answers.map(({ events }) => {
            const report = events.find(({ type }) => type === "image");
            if (report?.type !== "image") throw new Error("no report");
            // Where it is kept, an engine with one place does not say.
            const { encodeMs, cachedIn: _place, ...rest } = report;
            return { ...rest, took: encodeMs > 0 };
          });
        };
        const [first, second] = await reports(engine);
        const [expected, again] = await reports(reference);
        expect(first).toEqual(expected);
        if (keepsPictures) expect(second).toEqual(again);
      });
    });
  });
});
