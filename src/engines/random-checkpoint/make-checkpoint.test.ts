import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, greedily, promptOf, startNativeEngine } from "../../../test/support/native-engine.ts";
import { lackOfPython, testPython } from "../../../test/support/python.ts";
import { readTensorF32 } from "../../formats/convert.ts";
import { openCheckpoint } from "../../models/mllama/checkpoint.ts";
import { parseMllamaConfig } from "../../models/mllama/config.ts";
import { expectedTensors } from "../../models/mllama/weights.ts";
import { openTokenizer } from "../../tokenizer/tokenizer.ts";
import { bytesOfAll, cutIntoShards, makeCheckpoint } from "./make-checkpoint.ts";
import { type CheckpointKind, configFile, sideFiles } from "./published-files.ts";
import { tokenizerByRule } from "./tokenizer-by-rule.ts";

const shardsOf = (kind: Omit<CheckpointKind, "numLayers">): number[] =>
  cutIntoShards(parseMllamaConfig(configFile({ ...kind, numLayers: undefined }))).map(bytesOfAll);

describe("the shards are those that were published", () => {
  test("of the 11B, to the byte", () => {
    expect(shardsOf({ size: 11, isInstruct: true })).toEqual([
      4_992_548_394, 4_966_237_192, 4_915_905_544, 4_999_808_524, 1_465_942_016,
    ]);
  });

  test("of the others", () => {
    const sum = (bytes: readonly number[]): number => bytes.reduce((total, n) => total + n, 0);
    expect(sum(shardsOf({ size: 11, isInstruct: false }))).toBe(21_285_882_950);
    const large = shardsOf({ size: 90, isInstruct: true });
    expect([large.length, sum(large)]).toEqual([37, 177_186_710_646]);
    expect(large.slice(0, 5).map((bytes) => Number((bytes / 1e9).toFixed(2)))).toEqual([
      4.6, 4.66, 5, 4.97, 4.66,
    ]);
  });

  test("and so are the small files, where their sizes are known", () => {
    const size = (name: string, isInstruct: boolean): number =>
      JSON.stringify(
        sideFiles({ isInstruct }, { chatTemplate: "", tileSide: 560 }).get(name),
        undefined,
        2,
      ).length + 1;
    expect(size("generation_config.json", true)).toBe(215);
    expect(size("generation_config.json", false)).toBe(147);
    expect(size("preprocessor_config.json", true)).toBe(437);
  });
});

let home = "";
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "make-checkpoint-"));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** As the 11B, but narrow and flat. */
function smallConfig(): Readonly<Record<string, unknown>> {
  const config = configFile({ size: 11, isInstruct: true, numLayers: 4 });
  const part = (name: string): object => {
    const value = config[name];
    if (typeof value !== "object" || value === null) throw new Error(`there is no ${name}`);
    return value;
  };
  return {
    ...config,
    text_config: {
      ...part("text_config"),
      hidden_size: 64,
      intermediate_size: 128,
      num_attention_heads: 4,
      num_key_value_heads: 2,
    },
    vision_config: {
      ...part("vision_config"),
      hidden_size: 32,
      intermediate_size: 64,
      attention_heads: 2,
      num_hidden_layers: 2,
      num_global_layers: 1,
      intermediate_layers_indices: [0, 1],
      image_size: 28,
      vision_output_dim: 96,
    },
  };
}

const make = async (name: string, seed: number): Promise<string> => {
  const directory = join(home, name);
  await makeCheckpoint({
    directory,
    size: 11,
    isInstruct: true,
    numLayers: undefined,
    seed,
    chatTemplate: "{{ messages[0].content }}",
    config: smallConfig(),
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  return directory;
};

test("one seed writes the same files, and another does not", async () => {
  const digestOf = async (directory: string): Promise<string> =>
    createHash("sha256")
      .update(await readFile(join(directory, "model.safetensors")))
      .digest("hex");
  const [first, again, other] = [await make("a", 1), await make("b", 1), await make("c", 2)];
  expect(await digestOf(first)).toBe(await digestOf(again));
  expect(await digestOf(first)).not.toBe(await digestOf(other));
  expect(await readdir(home)).toEqual(["a", "b", "c"]);
});

test("numbers are spread as they should be, and tables are zero where tiles are unused", async () => {
  const { tensors, config } = await openCheckpoint(await make("spread", 3));
  expect([...tensors.keys()].toSorted((a, b) => a.localeCompare(b))).toEqual(
    [...expectedTensors(config).keys()].toSorted((a, b) => a.localeCompare(b)),
  );
  const numbers = async (name: string): Promise<Float32Array> => {
    const entry = tensors.get(name);
    if (entry === undefined) throw new Error(`there is no ${name}`);
    return await readTensorF32(entry);
  };
  const head = await numbers("language_model.lm_head.weight");
  const mean = head.reduce((sum, value) => sum + value, 0) / head.length;
  const variance = head.reduce((sum, value) => sum + value * value, 0) / head.length;
  expect(Math.abs(mean)).toBeLessThan(1e-3);
  expect(Math.sqrt(variance * 64)).toBeCloseTo(1, 2);
  const table = await numbers("vision_model.gated_positional_embedding.tile_embedding.weight");
  const slot = table.length / 36;
  const isZero = (row: number, tile: number): boolean =>
    table.subarray((4 * row + tile) * slot, (4 * row + tile + 1) * slot).every((n) => n === 0);
  // Rows: no picture, then grids of 1, 2, 3, 4, 2, 4, 3 and 4 tiles.
  expect([0, 1, 2, 6].map((row) => [0, 1, 2, 3].map((tile) => isZero(row, tile)))).toEqual([
    [true, true, true, true],
    [false, true, true, true],
    [false, false, true, true],
    [false, false, false, false],
  ]);
});

test("the native engine answers with it, pictures too, and every number is one", async () => {
  await using engine = await startNativeEngine(await make("answers", 4), { maxModelLen: 512 });
  const picture = { width: 30, height: 50, pixels: new Uint8Array(30 * 50 * 3).fill(77) };
  const sampling = { ...greedily(20), logprobs: 1 };
  const { tokenIds, logprobs } = await ask(
    engine,
    promptOf([128_000, 128_256, 300, 301], [picture]),
    sampling,
  );
  expect(tokenIds).toHaveLength(20);
  expect(logprobs.every(Number.isFinite)).toBe(true);
});

test("what is there already is left alone, and a launch of too few layers is refused", async () => {
  await mkdir(join(home, "mine"));
  await writeFile(join(home, "mine", "notes.txt"), "keep");
  await expect(make("mine", 1)).rejects.toMatchObject({ code: "invalid_request" });
  expect(await readFile(join(home, "mine", "notes.txt"), "utf8")).toBe("keep");
  const wish = {
    directory: join(home, "flat"),
    size: 11 as const,
    isInstruct: true,
    numLayers: 1,
    seed: 1,
    chatTemplate: "",
    signal: new AbortController().signal,
    onProgress: () => undefined,
  };
  await expect(makeCheckpoint(wish)).rejects.toThrow(/--layers is 1; the 11B has 40/);
});

test("one that is given up leaves nothing", async () => {
  const controller = new AbortController();
  const wish = {
    directory: join(home, "given-up"),
    size: 11 as const,
    isInstruct: true,
    numLayers: undefined,
    seed: 1,
    chatTemplate: "",
    config: smallConfig(),
    signal: controller.signal,
    onProgress: () => controller.abort(),
  };
  await expect(makeCheckpoint(wish)).rejects.toThrow();
  expect((await readdir(home)).filter((name) => name.startsWith("given-up"))).toEqual([]);
});

test("the tokenizer has the family's size and names, and gives every text back", async () => {
  const directory = join(home, "tokenizer");
  await mkdir(directory);
  await writeFile(join(directory, "tokenizer.json"), JSON.stringify(tokenizerByRule()));
  await using tokenizer = await openTokenizer(directory);
  const { vocabulary } = tokenizer;
  const special = { "<|begin_of_text|>": 128_000, "<|eot_id|>": 128_009, "<|image|>": 128_256 };
  for (const [text, id] of Object.entries(special)) expect(vocabulary.idOf(text)).toBe(id);
  expect(vocabulary.idOf("<|reserved_special_token_2|>")).toBe(128_011);
  expect(vocabulary.idOf("<|reserved_special_token_246|>")).toBe(128_255);
  for (const text of ["Hello, world!", "日本語 und Ärger\n\n", "🎈 1234567"]) {
    const ids = await tokenizer.encode(text, { specialTokens: false });
    const bytes = Buffer.concat(ids.map((id) => vocabulary.bytesOf(id)));
    expect(bytes.toString("utf8")).toBe(text);
    expect(ids.length).toBeLessThan(Buffer.byteLength(text));
  }
});

const lack = await lackOfPython(["torch", "transformers", "safetensors"]);
test.skipIf(lack !== undefined)(
  `Transformers finds the same names and shapes, and reads the tokenizer alike${lack === undefined ? "" : ` (needs ${lack})`}`,
  async () => {
    const kinds = [11, 90].flatMap((size) =>
      [true, false].map((isInstruct) => ({
        size: size === 11 ? (11 as const) : (90 as const),
        isInstruct,
        numLayers: size === 90 ? 10 : undefined,
      })),
    );
    const expected: Record<string, unknown> = {};
    for (const [index, kind] of kinds.entries()) {
      const directory = join(home, `kind-${index}`);
      await mkdir(directory);
      const config = configFile(kind);
      await writeFile(join(directory, "config.json"), JSON.stringify(config));
      expected[directory] = Object.fromEntries(expectedTensors(parseMllamaConfig(config)));
    }
    const small = await make("for-transformers", 5);
    const script = `
import json, sys, torch
from transformers import AutoConfig, AutoProcessor, MllamaForConditionalGeneration
from safetensors import safe_open
shapes = {}
for directory in json.loads(sys.argv[1]):
    with torch.device("meta"):
        model = MllamaForConditionalGeneration(AutoConfig.from_pretrained(directory))
    shapes[directory] = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
model, info = MllamaForConditionalGeneration.from_pretrained(sys.argv[2], dtype=torch.bfloat16, output_loading_info=True)
lacking = {key: len(value) for key, value in info.items()}
with safe_open(sys.argv[2] + "/model.safetensors", framework="pt") as file:
    dtypes = sorted({str(file.get_tensor(name).dtype) for name in file.keys()})
tokenizer = AutoProcessor.from_pretrained(sys.argv[2]).tokenizer
ids = tokenizer("Hello, world! <|image|> 日本語")["input_ids"]
print(json.dumps({"shapes": shapes, "lacking": lacking, "dtypes": dtypes, "ids": ids, "size": len(tokenizer)}))
`;
    const { stdout } = await promisify(execFile)(
      testPython,
      ["-c", script, JSON.stringify(Object.keys(expected)), small],
      { maxBuffer: 2 ** 26 },
    );
    const told: unknown = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    const inPublishedNames = expectedInNewNames(expected);
    expect(told).toMatchObject({
      shapes: inPublishedNames,
      lacking: { missing_keys: 0, unexpected_keys: 0, mismatched_keys: 0 },
      dtypes: ["torch.bfloat16"],
      size: 128_257,
    });
    await using tokenizer = await openTokenizer(small);
    const ids = await tokenizer.encode("<|begin_of_text|>Hello, world! <|image|> 日本語", {
      specialTokens: true,
    });
    expect(told).toMatchObject({ ids });
  },
  300_000,
);

/** Names that a loaded model has; the files have the older ones. */
function expectedInNewNames(byDirectory: Readonly<Record<string, unknown>>): unknown {
  return JSON.parse(
    JSON.stringify(byDirectory)
      .replaceAll('"language_model.lm_head.', '"lm_head.')
      .replaceAll('"language_model.model.', '"model.language_model.')
      .replaceAll('"vision_model.', '"model.vision_model.')
      .replaceAll('"multi_modal_projector.', '"model.multi_modal_projector.'),
  );
}
