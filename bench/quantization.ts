/**
 * What each quantization does to the demo model: Kullback-Leibler divergence of its next-token
 * distributions from those of the original, in nats, and how often the likeliest token is another.
 *
 *     npx tsx bench/quantization.ts [--json FILE] [--only TEXT]
 *
 * Every picture of `demo/pictures` is shown with every recorded question; the original answers, and all
 * tokens of its answer are distributions to compare. Beside the quantizations as they are, single
 * choices in them are made differently, to see what each is worth.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { quantizedDirectory } from "../src/engines/native/quantize-model.ts";
import { type FileDtype, fileDtypes } from "../src/formats/tensor-entry.ts";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import type { PictureStates } from "../src/models/mllama/picture-states.ts";
import {
  type ChooseType,
  type Quantization,
  quantizations,
  quantizedTypes,
} from "../src/models/mllama/quantization.ts";
import { type StateDtype, stateDtypes } from "../src/models/mllama/state-dtype.ts";
import { mayBeQuantized } from "../src/models/mllama/weight-kinds.ts";
import { generateGreedily, readRows } from "../test/support/text-probe.ts";
import { type OpenModel, openModel } from "../test/support/tiny-model.ts";

const { values } = parseArgs({
  options: { json: { type: "string" }, only: { type: "string", default: "" } },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const checkpoint = join(root, "demo/checkpoint");
const pictures = join(root, "demo/pictures");
const NUM_TOKENS = 16;

type Manifest = {
  readonly cases: readonly { readonly picture: string | null; readonly promptIds: number[] }[];
};
const { cases } = JSON.parse(
  readFileSync(join(root, "test/golden/demo/manifest.json"), "utf8"),
) as Manifest;
const prompts = cases.filter(({ picture }) => picture !== null).map(({ promptIds }) => promptIds);
const files = readdirSync(pictures).filter((name) => name.endsWith(".png"));

async function encoded(open: OpenModel, name: string): Promise<PictureStates> {
  const { data, info } = await sharp(join(pictures, name))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(data);
  return await encodeImage(
    open.model,
    open.tilesOf({ width: info.width, height: info.height, pixels }),
  );
}

type Question = { readonly file: string; readonly promptIds: readonly number[] };
type Asked = Question & { readonly answer: readonly number[]; readonly logits: Float32Array[] };

async function askOriginal(): Promise<Asked[]> {
  using open = await openModel(checkpoint, "ref");
  const asked: Asked[] = [];
  for (const file of files) {
    using picture = await encoded(open, file);
    for (const promptIds of prompts) {
      const options = { golden: { promptIds }, pictures: [picture], numTokens: NUM_TOKENS };
      const { ids, logits } = await generateGreedily(open, options);
      asked.push({ file, promptIds, answer: ids, logits });
    }
  }
  return asked;
}

/** In nats. */
function divergence(original: Float32Array, other: Float32Array): number {
  const [p, q] = [logSoftmax(original), logSoftmax(other)];
  return p.reduce((sum, logP, id) => sum + Math.exp(logP) * (logP - (q[id] ?? 0)), 0);
}

function logSoftmax(logits: Float32Array): Float64Array {
  const most = logits.reduce((top, value) => Math.max(top, value), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, value) => total + Math.exp(value - most), 0);
  return Float64Array.from(logits, (value) => value - most - Math.log(sum));
}

const likeliest = (logits: Float32Array): number =>
  logits.reduce((top, value, id) => (value > (logits[top] ?? 0) ? id : top), 0);

/** What keys and values are kept in, of text and of pictures. */
type StatesIn = { readonly ofText?: StateDtype; readonly ofPictures?: StateDtype };

async function compare(directory: string, asked: readonly Asked[], states: StatesIn = {}) {
  const { ofText = "f32", ofPictures = ofText } = states;
  using open = await openModel(directory, "ref", ofText);
  const encoder = { ...open, model: { ...open.model, stateDtype: ofPictures } };
  const all: number[] = [];
  let numOthers = 0;
  for (const file of files) {
    using picture = await encoded(encoder, file);
    for (const { promptIds, answer, logits } of asked.filter((one) => one.file === file)) {
      const golden = { promptIds: [...promptIds, ...answer.slice(0, -1)] };
      const rows = await readRows(open, { golden, pictures: [picture] }, answer.length);
      for (const [step, theirs] of rows.logits.entries()) {
        const original = logits[step] ?? theirs;
        all.push(divergence(original, theirs));
        if (likeliest(original) !== likeliest(theirs)) numOthers++;
      }
    }
  }
  const sorted = all.toSorted((a, b) => a - b);
  return {
    distributions: all.length,
    meanNats: all.reduce((sum, nats) => sum + nats, 0) / all.length,
    p99Nats: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    otherTokens: numOthers / all.length,
  };
}

/** Text layers of the demo model. */
const NUM_LAYERS = 5;
type Variant = {
  readonly name: string;
  readonly quantization: Quantization;
  readonly chooseType?: ChooseType;
};
/** A quantization in which the tensors that match have another type. */
const but = (
  quantization: Quantization,
  what: string,
  pattern: RegExp,
  type: FileDtype | "as is",
): Variant => {
  const own = quantizedTypes(quantization, NUM_LAYERS);
  return {
    name: `${quantization}, ${what}`,
    quantization,
    chooseType: (tensor) => {
      if (!pattern.test(tensor.name) || !mayBeQuantized(tensor.name, tensor.shape)) {
        return own(tensor);
      }
      if (type === "as is") return tensor.dtype;
      // Rows of the demo model are often shorter than a block of the K types.
      const isWhole = (tensor.shape.at(-1) ?? 0) % fileDtypes[type].length === 0;
      return isWhole ? type : own(tensor);
    },
  };
};

const head = /lm_head/;
const embedding = /embed_tokens/;
const tower = /^(vision_model\..*layers|multi_modal)/;
const variants: readonly Variant[] = [
  ...quantizations.map((quantization) => ({ name: quantization, quantization })),
  but("q8_0", "embedding at 8 bits", embedding, "Q8_0"),
  but("q8_0", "head in bf16", head, "as is"),
  but("q8_0", "tower at 8 bits", tower, "Q8_0"),
  but("q8_0", "tower at 4 bits", tower, "Q4_0"),
  but("q6_k", "embedding at 8 bits", embedding, "Q8_0"),
  but("q5_k", "down projections all at 5 bits", /down_proj\.weight$/, "Q5_K"),
  but("q4_k", "down projections all at 4 bits", /down_proj\.weight$/, "Q4_K"),
  but("q4_k", "down projections all at 6 bits", /down_proj\.weight$/, "Q6_K"),
  but("q4_0", "embedding at 4 bits", embedding, "Q4_0"),
  but("q4_0", "embedding in bf16", embedding, "as is"),
  but("q4_0", "head at 4 bits", head, "Q4_0"),
  but("q4_0", "head in bf16", head, "as is"),
  but("q4_0", "value projections at 8 bits", /^language_model.*v_proj\.weight$/, "Q8_0"),
  but("q4_0", "down projections at 8 bits", /down_proj\.weight$/, "Q8_0"),
  but("q4_0", "query and key projections at 8 bits", /^language_model.*[qk]_proj\.weight$/, "Q8_0"),
  but("q4_0", "query projections at 8 bits", /^language_model.*q_proj\.weight$/, "Q8_0"),
  but("q4_0", "key projections at 8 bits", /^language_model.*k_proj\.weight$/, "Q8_0"),
  but(
    "q4_0",
    "self-attention's key projections at 4 bits",
    /^language_model.*self_attn\.k_proj/,
    "Q4_0",
  ),
  but("q4_0", "v and o of cross-attention at 8 bits", /cross_attn\.[vo]_proj/, "Q8_0"),
  but("q4_0", "all of cross-attention at 8 bits", /cross_attn/, "Q8_0"),
  but("q4_0", "tower at 8 bits", tower, "Q8_0"),
  but("q4_0", "tower at 4 bits", tower, "Q4_0"),
];

function tell(name: string, { meanNats, p99Nats, otherTokens }: Measured): void {
  console.log(
    `${name.padEnd(34)} KL ${meanNats.toExponential(2)}, p99 ${p99Nats.toExponential(2)}, another token ${(100 * otherTokens).toFixed(2)} %`,
  );
}
type Measured = Awaited<ReturnType<typeof compare>>;

const asked = await askOriginal();
const scratch = mkdtempSync(join(tmpdir(), "quantization-"));
const results: Record<string, unknown> = {};
const kept: readonly StatesIn[] = [
  ...stateDtypes.map((ofText) => ({ ofText, ofPictures: ofText })),
  { ofText: "q8_0", ofPictures: "f16" },
  { ofText: "f16", ofPictures: "q8_0" },
];
for (const states of kept) {
  const name = `none, keys and values in ${states.ofText}, of pictures in ${states.ofPictures}`;
  if (!name.includes(values.only)) continue;
  const measured = await compare(checkpoint, asked, states);
  results[name] = measured;
  tell(name, measured);
}
try {
  for (const { name, quantization, chooseType } of variants.filter(({ name }) =>
    name.includes(values.only),
  )) {
    const directory = await quantizedDirectory(
      {
        directory: checkpoint,
        quantization,
        cacheDirectory: scratch,
        imatrix: undefined,
        ...(chooseType !== undefined && { chooseType }),
      },
      () => undefined,
    );
    const { size } = statSync(join(directory, "model.gguf"));
    const measured = { megabytes: size / 1e6, ...(await compare(directory, asked)) };
    results[name] = measured;
    tell(`${name} (${measured.megabytes.toFixed(2)} MB)`, measured);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (values.json !== undefined) {
  const about = { cpu: cpus()[0]?.model, node: process.version, checkpoint: "demo/checkpoint" };
  writeFileSync(values.json, `${JSON.stringify({ about, results }, null, 1)}\n`);
}
