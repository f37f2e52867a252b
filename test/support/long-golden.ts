/** Prompts of up to 131,071 tokens, and what the reference says after some lengths of them; see `scripts/golden`. */
import { createHash } from "node:crypto";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoCheckpoint } from "../../src/config/package.ts";
import type { Engine } from "../../src/engines/engine.ts";
import type { EnginePrompt } from "../../src/generation/engine-prompt.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { editJson, rewriteSafetensors, temporaryFolder, widened } from "./checkpoint-files.ts";
import { demoPicture } from "./demo-golden.ts";
import { goldenPicture, goldenTensor, readFixture } from "./golden.ts";
import { ask, greedily, promptOf } from "./native-engine.ts";

export type LongCase = {
  readonly case: string;
  readonly model: "tiny-d" | "demo";
  readonly seed: number;
  /** A file of the demo's, or width, height and seed of the formula. */
  readonly picture: string | readonly [number, number, number] | null;
  /** Tokens of the prompts. */
  readonly lengths: readonly number[];
  /** Of the longest: its token ids in 32 bits. */
  readonly promptSha256: string;
  readonly file: string;
  /** What follows each, greedily, and the closest call among its choices. */
  readonly answers: readonly (readonly number[])[];
  readonly smallestGaps: readonly number[];
};

const directory = fileURLToPath(new URL("../golden/long/", import.meta.url));
const manifest = JSON.parse(readFileSync(`${directory}manifest.json`, "utf8")) as {
  readonly random: Readonly<Record<"multiplier" | "increment" | "modulus" | "shift", number>>;
  readonly words: readonly string[];
  readonly cases: readonly LongCase[];
};

export const longCases = manifest.cases;

/** Tokens asked for; after the longest prompt there is room for one. */
const ANSWER = 4;

/**
 * A copy that takes 131,072 positions, as bfloat16 or widened to float32, which is what the reference computes in.
 */
export function longCheckpoint(
  model: LongCase["model"],
  dtype: "bf16" | "f32",
): { readonly path: string } & Disposable {
  const folder = temporaryFolder();
  const original = model === "demo" ? demoCheckpoint() : join(directory, model);
  cpSync(original, folder.path, { recursive: true });
  editJson(join(folder.path, "config.json"), ({ text_config: text }) => {
    Object.assign(text ?? {}, { max_position_embeddings: 131_072 });
  });
  if (dtype === "f32") {
    rewriteSafetensors(join(folder.path, "model.safetensors"), (tensors) => {
      for (const [name, tensor] of tensors) {
        tensors.set(name, { ...tensor, dtype: "F32", data: widened(tensor.data) });
      }
    });
  }
  return folder;
}

function draws(seed: number, count: number): number[] {
  const { multiplier, increment, modulus, shift } = manifest.random;
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (multiplier * state + increment) % modulus;
    return state >> shift;
  });
}

/** @throws when they are not the ids that the reference was given */
async function longPrompt(one: LongCase): Promise<EnginePrompt> {
  const longest = one.lengths.at(-1) ?? 0;
  const hasPicture = one.picture !== null;
  let ids: readonly number[];
  if (one.model === "tiny-d") {
    const begin = hasPicture ? [1, 256] : [1];
    ids = [...begin, ...draws(one.seed, longest).map((draw) => 30 + (draw % 211))];
  } else {
    const words = draws(one.seed, longest).map(
      (draw) => manifest.words[draw % manifest.words.length],
    );
    const begin = `<|begin_of_text|>${hasPicture ? "<|image|>" : ""}`;
    await using tokenizer = await openTokenizer(demoCheckpoint());
    ids = await tokenizer.encode(begin + words.join(" "), { specialTokens: true });
  }
  ids = ids.slice(0, longest);
  const sha256 = createHash("sha256").update(Int32Array.from(ids)).digest("hex");
  if (sha256 !== one.promptSha256) throw new Error(`${one.case}: not the prompt of the goldens`);
  return promptOf(ids, await picturesOf(one));
}

async function picturesOf({ picture }: LongCase) {
  if (picture === null) return [];
  if (typeof picture === "string") return [await demoPicture(picture)];
  const [width, height, seed] = picture;
  return [goldenPicture({ width, height, seed })];
}

export type Comparison = {
  readonly numTokens: number;
  /** Between log-probabilities of the next token. */
  readonly largest: number;
  readonly meanSquare: number;
  readonly answer: readonly number[];
  readonly finish: string | undefined;
  readonly expected: readonly number[];
  readonly smallestGap: number;
  /** Tokens of the prompt that were not computed again. */
  readonly reused: number;
  readonly seconds: number;
};

/** Ask about the beginnings of a prompt, each one longer than the last. */
export async function* compareLong(
  engine: Engine,
  one: LongCase,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<Comparison> {
  const prompt = await longPrompt(one);
  const { vocabSize } = engine.model;
  const rows = goldenTensor(readFixture(directory + one.file), "logits").data;
  for (const [index, numTokens] of one.lengths.entries()) {
    if (numTokens > most) return;
    const expected = one.answers[index] ?? [];
    const startedAt = performance.now();
    const { events, tokenIds } = await ask(
      engine,
      { ...prompt, tokenIds: prompt.tokenIds.slice(0, numTokens) },
      greedily(ANSWER, { logprobs: vocabSize }),
    );
    const seconds = (performance.now() - startedAt) / 1000;
    const theirs = logProbabilitiesOf(rows.subarray(index * vocabSize, (index + 1) * vocabSize));
    const first = events.find(({ type }) => type === "token");
    const reused = events.find(({ type }) => type === "reused");
    const finish = events.at(-1);
    const ours = new Float64Array(vocabSize).fill(Number.NaN);
    if (first?.type === "token") {
      for (const { tokenId, logprob } of first.topLogprobs) ours[tokenId] = logprob;
    }
    const differences = ours.map((value, id) => Math.abs(value - (theirs[id] ?? Number.NaN)));
    yield {
      numTokens,
      largest: differences.reduce((a, b) => Math.max(a, b), 0),
      meanSquare: Math.sqrt(differences.reduce((sum, x) => sum + x * x, 0) / vocabSize),
      answer: tokenIds,
      finish: finish?.type === "finish" ? finish.reason : undefined,
      expected,
      smallestGap: one.smallestGaps[index] ?? 0,
      reused: reused?.type === "reused" ? reused.numTokens : 0,
      seconds,
    };
  }
}

function logProbabilitiesOf(logits: Float32Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, x) => total + Math.exp(x - most), 0);
  return Float64Array.from(logits, (x) => x - most - Math.log(sum));
}
