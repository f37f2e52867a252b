/**
 * Tiny checkpoints as GGUF, in Ollama's forms and ours: the tokens of the reference, and its numbers
 * within the limits that the safetensors are held to.
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openGguf } from "../src/formats/gguf.ts";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import { filesOfGguf } from "../src/models/mllama/gguf-files.ts";
import type { PictureStates } from "../src/models/mllama/picture-states.ts";
import {
  copyOfCheckpoint,
  rewriteSafetensors,
  temporaryFolder,
} from "./support/checkpoint-files.ts";
import {
  type OllamaKind,
  type StoredDtype,
  storedBytes,
  writeOllamaFiles,
} from "./support/gguf-files.ts";
import {
  type GoldenCase,
  goldenCheckpoint,
  goldenTensor,
  manifest,
  readGolden,
} from "./support/golden.ts";
import { generateGreedily } from "./support/text-probe.ts";
import { openModel } from "./support/tiny-model.ts";
import { distance, excess, roundedLimits, tolerances } from "./support/tolerances.ts";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

async function ollamaDirectory(
  checkpoint: string,
  kind: OllamaKind,
  dtype: StoredDtype,
): Promise<string> {
  const directory = join(folder.path, `${basename(checkpoint)} ${kind} ${dtype}`);
  mkdirSync(directory);
  const files = writeOllamaFiles(checkpoint, directory, { kind, dtype });
  const projector = files.projector === undefined ? undefined : await openGguf(files.projector);
  for (const [name, text] of filesOfGguf(await openGguf(files.model), projector, undefined)) {
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

const kinds = ["single", "single of May 2025", "pair"] as const;
const models = ["tiny-a", "tiny-b", "tiny-c"] as const;
type Profile = "ref" | "hf";

async function answer(directory: string, profile: Profile, golden: GoldenCase) {
  using open = await openModel(directory, profile);
  const pictures: PictureStates[] = [];
  for (const tiles of open.tiles(golden)) pictures.push(await encodeImage(open.model, tiles));
  const result = await generateGreedily(open, { golden, pictures, numTokens: 24 });
  for (const picture of pictures) picture[Symbol.dispose]();
  return { ...result, width: open.model.config.text.vocabSize };
}

function casesOf(model: string): [string, Profile, GoldenCase][] {
  return manifest.cases
    .filter((golden) => golden.model === model)
    .flatMap((golden) =>
      (["ref", "hf"] as const).map((profile): [string, Profile, GoldenCase] => [
        golden.case,
        profile,
        golden,
      ]),
    );
}

const pairs = models
  .flatMap((model) => kinds.map((kind) => [model, kind] as const))
  // Its gates are small float32 numbers: nobody can tell them from their tanh.
  .filter(([model, kind]) => !(model === "tiny-c" && kind === "single of May 2025"));

describe.each(pairs)("%s, Ollama's %s", (model, kind) => {
  const cases = casesOf(model);
  let wide: string;
  let narrow: string;
  let narrowOriginal: string;
  beforeAll(async () => {
    wide = await ollamaDirectory(goldenCheckpoint(model), kind, "F32");
    narrow = await ollamaDirectory(goldenCheckpoint(model), kind, "F16");
    narrowOriginal = join(folder.path, `${model} ${kind} original F16`);
    cpSync(goldenCheckpoint(model), narrowOriginal, { recursive: true });
    rewriteSafetensors(join(narrowOriginal, "model.safetensors"), (tensors) => {
      for (const [name, { shape, data }] of tensors) {
        if (shape.length < 2) continue;
        const numbers = new Float32Array(Uint8Array.from(data).buffer);
        tensors.set(name, { shape, dtype: "F16", data: storedBytes(numbers, "F16") });
      }
    });
  });

  test("has cases", () => expect(cases.length).toBeGreaterThan(1));

  test.each(kind === "single of May 2025" ? cases.slice(0, 4) : cases)(
    "%s, %s: every token and its logits, in f32",
    async (_name, profile, golden) => {
      const { file, generatedIds } = golden.profiles[profile];

      const { ids, logits, width } = await answer(wide, profile, golden);

      expect(ids).toEqual(generatedIds);
      const tensors = readGolden(file);
      const few = tensors.get("steps.logits.few");
      const rows = few === undefined ? logits.map((_, step) => step) : manifest.fewSteps;
      const expected = (few ?? goldenTensor(tensors, "steps.logits")).data;
      for (const [row, step] of rows.entries()) {
        const ours = logits[step] ?? new Float32Array();
        const theirs = expected.subarray(row * width, (row + 1) * width);
        expect([step, excess(ours, theirs, tolerances.f32) <= 1]).toEqual([step, true]);
      }
    },
  );

  test.each(cases.slice(0, 6))(
    "%s, %s: as the safetensors are, in f16",
    async (_name, profile, golden) => {
      const [ours, theirs] = [
        await answer(narrow, profile, golden),
        await answer(narrowOriginal, profile, golden),
      ];
      expect(ours.ids).toEqual(theirs.ids);
      for (const [step, logits] of ours.logits.entries()) {
        const { largest, meanSquare } = distance(logits, theirs.logits[step] ?? logits);
        expect([step, largest <= roundedLimits.f16.largest]).toEqual([step, true]);
        expect([step, meanSquare <= roundedLimits.f16.meanSquare]).toEqual([step, true]);
      }
    },
  );
});

test("small gates in bfloat16 are told from their tanh", async () => {
  using original = copyOfCheckpoint("tiny-c");
  rewriteSafetensors(join(original.path, "model.safetensors"), (tensors) => {
    let next = 1;
    for (const [name, tensor] of tensors) {
      if (!/global_transformer.*gate_/.test(name)) continue;
      const data = new Uint8Array(Float32Array.of((next++ % 7) / 8).buffer);
      tensors.set(name, { ...tensor, data });
    }
  });
  const [, , golden] = casesOf("tiny-c")[0] ?? [];
  if (golden === undefined) throw new Error("tiny-c has no cases");
  const theirs = await answer(original.path, "ref", golden);
  for (const kind of kinds) {
    const ours = await answer(await ollamaDirectory(original.path, kind, "F32"), "ref", golden);
    expect([kind, ours.ids]).toEqual([kind, theirs.ids]);
    for (const [step, logits] of ours.logits.entries()) {
      const isNear = excess(logits, theirs.logits[step] ?? logits, tolerances.f32) <= 1;
      expect([kind, step, isNear]).toEqual([kind, step, true]);
    }
  }
});
