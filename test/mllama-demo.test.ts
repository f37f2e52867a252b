/**
 * The demo model against Transformers: its own pictures, its own questions, both profiles.
 *
 * Its weights are bfloat16, from which the reference computes in float32. A copy that is widened to
 * float32 has to give the same numbers; the file as it is has to give the same answers.
 */
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RgbImage } from "../src/base/rgb-image.ts";
import type { Engine } from "../src/engines/engine.ts";
import type { GenerateEvent } from "../src/generation/event.ts";
import type { ContentPart } from "../src/generation/request.ts";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import { Pipeline } from "../src/pipeline/pipeline.ts";
import { rewriteSafetensors, temporaryFolder } from "./support/checkpoint-files.ts";
import { demoCheckpoint, goldenTensor, readFixture } from "./support/golden.ts";
import { greedy } from "./support/greedy.ts";
import { startNativeEngine } from "./support/native-engine.ts";
import { generateGreedily, readText } from "./support/text-probe.ts";
import { type OpenModel, openModel } from "./support/tiny-model.ts";
import { excess, excessAtUnitScale, tolerances } from "./support/tolerances.ts";
import { readVision } from "./support/vision-probe.ts";

type Profile = "ref" | "hf";
type Case = {
  readonly case: string;
  readonly picture: string | null;
  readonly question: string;
  readonly promptIds: readonly number[];
  readonly profiles: Readonly<
    Record<
      Profile,
      { readonly file: string; readonly generatedIds: readonly number[]; readonly text: string }
    >
  >;
};

const golden = fileURLToPath(new URL("./golden/demo/", import.meta.url));
const { cases } = JSON.parse(readFileSync(join(golden, "manifest.json"), "utf8")) as {
  readonly cases: readonly Case[];
};
const both = cases.flatMap((one) =>
  (["ref", "hf"] as const).map((profile) => [one.case, profile, one] as const),
);
const shipped = demoCheckpoint();
if (shipped === undefined) throw new Error("demo/checkpoint is missing from this checkout");

function pictureFile(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../demo/pictures/${name}`, import.meta.url)));
}

async function pixelsOf(name: string): Promise<RgbImage> {
  const { data, info } = await sharp(pictureFile(name)).removeAlpha().raw().toBuffer({
    resolveWithObject: true,
  });
  return { width: info.width, height: info.height, pixels: new Uint8Array(data) };
}

/** bfloat16 is the upper half of float32. */
function widened(data: Uint8Array): Uint8Array {
  const wide = new Uint8Array(data.length * 2);
  for (let i = 0; i < data.length; i += 2) wide.set(data.subarray(i, i + 2), i * 2 + 2);
  return wide;
}

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

  async function encoded(open: OpenModel, { picture }: Case) {
    return picture === null
      ? []
      : [await encodeImage(open.model, open.tilesOf(await pixelsOf(picture)))];
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
    const expected = goldenTensor(readFixture(golden + file), "steps.logits");
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
    const tiles = open.tilesOf(await pixelsOf(one.picture ?? ""));
    const { data } = goldenTensor(
      readFixture(golden + one.profiles[profile].file),
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
    const one = cases.find(({ case: name }) => name === "first");
    if (one === undefined) throw new Error("the case is missing");
    const tensors = readFixture(golden + one.profiles[profile].file);
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

  test.each(cases.map((one) => [one.case, one] as const))("%s", async (_name, one) => {
    const content: ContentPart[] = [{ type: "text", text: one.question }];
    if (one.picture !== null) {
      content.unshift({ type: "image", image: { bytes: pictureFile(one.picture) } });
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
