/**
 * The demo model against Transformers: its own pictures, its own questions, both profiles.
 *
 * Its weights are bfloat16, from which the reference computes in float32. A copy that is widened to
 * float32 has to give the same numbers; the file as it is has to give the same answers.
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../src/engines/engine.ts";
import type { GenerateEvent } from "../src/generation/event.ts";
import type { ContentPart } from "../src/generation/request.ts";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import { Pipeline } from "../src/pipeline/pipeline.ts";
import { rewriteSafetensors, temporaryFolder, widened } from "./support/checkpoint-files.ts";
import {
  type DemoCase,
  demoCases,
  demoGoldens,
  demoPicture,
  demoPictureFile,
} from "./support/demo-golden.ts";
import { demoCheckpoint, goldenTensor, readFixture } from "./support/golden.ts";
import { greedy } from "./support/greedy.ts";
import { startNativeEngine } from "./support/native-engine.ts";
import { generateGreedily, readText } from "./support/text-probe.ts";
import { type OpenModel, openModel } from "./support/tiny-model.ts";
import { excess, excessAtUnitScale, tolerances } from "./support/tolerances.ts";
import { readVision } from "./support/vision-probe.ts";

const both = demoCases.flatMap((one) =>
  (["ref", "hf"] as const).map((profile) => [one.case, profile, one] as const),
);
const shipped = demoCheckpoint();
if (shipped === undefined) throw new Error("demo/checkpoint is missing from this checkout");

describe("widened to float32", () => {
  const folder = temporaryFolder();
  afterAll(() => folder[Symbol.dispose]());
  cpSync(shipped, folder.path, { recursive: true });
  rewriteSafetensors(join(folder.path, "model.safetensors"), (tensors) => {
    for (const [name, tensor] of tensors) {
      expect([name, tensor.dtype]).toEqual([name, "BF16"]);
      tensors.set(name, { ...tensor, dtype: "F32", data: widened(tensor.data) });
    }
  });

  async function encoded(open: OpenModel, { picture }: DemoCase) {
    return picture === null
      ? []
      : [await encodeImage(open.model, open.tilesOf(await demoPicture(picture)))];
  }

  test.each(both)("%s, %s: every logit of the answer", async (_name, profile, one) => {
    using open = await openModel(folder.path, profile);
    const { file, generatedIds } = one.profiles[profile];
    const pictures = await encoded(open, one);

    const { ids, logits } = await generateGreedily(open, {
      golden: one,
      pictures,
      numTokens: generatedIds.length,
    });

    expect(ids).toEqual(generatedIds);
    const expected = goldenTensor(readFixture(demoGoldens + file), "steps.logits");
    const width = open.model.config.text.vocabSize;
    expect(expected.shape).toEqual([generatedIds.length, width]);
    for (const [step, ours] of logits.entries()) {
      const theirs = expected.data.subarray(step * width, (step + 1) * width);
      expect([step, excess(ours, theirs, tolerances.f32) <= 1]).toEqual([step, true]);
    }
    for (const picture of pictures) picture[Symbol.dispose]();
  });

  const seeing = both.filter(([, , { picture }]) => picture !== null);
  test.each(seeing)("%s, %s: projected tokens", async (_name, profile, one) => {
    using open = await openModel(folder.path, profile);
    const tiles = open.tilesOf(await demoPicture(one.picture ?? ""));
    const { data } = goldenTensor(
      readFixture(demoGoldens + one.profiles[profile].file),
      "vision.projected.used",
    );
    const ours = (await readVision(open.model, tiles, ["projected"])).get("projected");
    expect(
      excessAtUnitScale(
        (ours ?? new Float32Array()).subarray(0, data.length),
        data,
        tolerances.f32,
      ),
    ).toBeLessThanOrEqual(1);
  });

  test.each(["ref", "hf"] as const)("every layer of the text model, %s", async (profile) => {
    using open = await openModel(folder.path, profile);
    const one = demoCases.find(({ case: name }) => name === "first");
    if (one === undefined) throw new Error("the case is missing");
    const tensors = readFixture(demoGoldens + one.profiles[profile].file);
    const stages = await readText(open, { golden: one, pictures: await encoded(open, one) });
    const names = [...tensors.keys()].filter((name) => name.startsWith("text.layer."));
    expect(names).toHaveLength(open.model.config.text.numLayers);
    for (const name of names) {
      const ours = stages.get(name.replace("text.", ""))?.data ?? new Float32Array();
      const { data } = goldenTensor(tensors, name);
      expect([name, excessAtUnitScale(ours, data, tolerances.f32) <= 1]).toEqual([name, true]);
    }
  });
});

describe.each(["ref", "hf"] as const)("as it is, from file to text, %s", (profile) => {
  let engine: Engine;
  let pipeline: Pipeline;
  beforeAll(async () => {
    [engine, pipeline] = await Promise.all([
      startNativeEngine(shipped, { profile }),
      Pipeline.open(shipped),
    ]);
  });
  afterAll(async () => {
    await Promise.all([engine[Symbol.asyncDispose](), pipeline[Symbol.asyncDispose]()]);
  });

  test.each(demoCases.map((one) => [one.case, one] as const))("%s", async (_name, one) => {
    const content: ContentPart[] = [{ type: "text", text: one.question }];
    if (one.picture !== null) {
      content.unshift({ type: "image", image: { bytes: demoPictureFile(one.picture) } });
    }
    const events: GenerateEvent[] = [];
    for await (const event of pipeline.generate(
      engine,
      {
        prompt: { type: "chat", messages: [{ role: "user", content }] },
        sampling: { ...greedy, maxTokens: 64 },
      },
      { signal: new AbortController().signal },
    )) {
      events.push(event);
    }
    const text = events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
    expect(events[0]).toMatchObject({ type: "started", promptTokenIds: one.promptIds });
    expect(text).toBe(one.profiles[profile].text);
    expect(events.at(-1)).toMatchObject({ type: "finish", reason: "stop" });
  });
});
