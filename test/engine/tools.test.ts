/** A picture, a function that must be called, and free choice: every engine gives the same calls and the same words. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../src/base/package-root.ts";
import { demoPictures } from "../../src/config/package.ts";
import type { ToolCall, ToolOffer } from "../../src/generation/tools.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { testedEngines } from "../support/engines.ts";

const directory = join(packageRoot(), "demo/checkpoint");
const wide = { bytes: readFileSync(join(demoPictures(), "wide.png")) };
const offer = (choice: ToolOffer["choice"]): ToolOffer => ({
  functions: [
    {
      name: "report_shape",
      parameters: {
        type: "object",
        properties: {
          color: { enum: ["red", "green", "blue", "yellow", "purple", "orange"] },
          shape: { enum: ["circle", "square", "triangle"] },
        },
        required: ["color", "shape"],
      },
      isStrict: false,
      field: "tools[0].function",
    },
  ],
  choice,
});

const sampling = {
  maxTokens: 200,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  seed: undefined,
  stop: [],
  logprobs: undefined,
};

describe.each(testedEngines)("$title", ({ lacks, start }) => {
  let pipeline: Pipeline;
  let engine: Awaited<ReturnType<typeof start>>;

  beforeAll(async () => {
    if (lacks !== undefined) return;
    [pipeline, engine] = await Promise.all([Pipeline.open(directory), start(directory)]);
  }, 300_000);
  afterAll(async () => {
    await Promise.all([engine?.[Symbol.asyncDispose](), pipeline?.[Symbol.asyncDispose]()]);
  });

  async function ask(
    choice: ToolOffer["choice"],
  ): Promise<{ text: string; calls: readonly ToolCall[] }> {
    let text = "";
    let calls: readonly ToolCall[] = [];
    for await (const event of pipeline.generate(
      engine,
      {
        prompt: {
          type: "chat",
          messages: [
            {
              role: "user",
              content: [
                { type: "image", image: wide },
                { type: "text", text: "What do you see?" },
              ],
            },
          ],
          tools: offer(choice),
        },
        sampling,
      },
      { signal: new AbortController().signal },
    )) {
      if (event.type === "text-delta") text += event.text;
      if (event.type === "finish") calls = event.toolCalls ?? [];
    }
    return { text, calls };
  }

  test.skipIf(lacks !== undefined)("calls what must be called, rightly", async () => {
    const call = { name: "report_shape", arguments: '{"color": "green", "shape": "triangle"}' };
    for (const choice of [{ type: "required" }, { type: "named", name: "report_shape" }] as const) {
      expect(await ask(choice)).toMatchObject({ text: "", calls: [call] });
    }
  });

  test.skipIf(lacks !== undefined)("answers in words where it may, and ends", async () => {
    expect(await ask({ type: "auto" })).toEqual({
      text: "a large green triangle and a small purple circle",
      calls: [],
    });
  });
});
