import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  copyOfCheckpoint,
  editJson,
  rewriteSafetensors,
  safetensorsBytes,
  temporaryFolder,
} from "../../../test/support/checkpoint-files.ts";
import { goldenCheckpoint } from "../../../test/support/golden.ts";
import { readTensorF32 } from "../../formats/convert.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { parseMllamaConfig } from "./config.ts";
import { expectedTensors } from "./weights.ts";

describe("every form of checkpoint opens", () => {
  test.each([
    { name: "tiny-a", dtype: "F32", numTensors: 168 },
    { name: "tiny-a-bf16", dtype: "BF16", numTensors: 168 },
    { name: "tiny-b", dtype: "F32", numTensors: 125 },
    { name: "tiny-c", dtype: "F32", numTensors: 125 },
    // In two files, by the names of newer versions; one gate has its own type.
    { name: "tiny-a-v5-f16", dtype: "F16", numTensors: 150 },
  ])("$name", async ({ name, dtype, numTensors }) => {
    const { config, tensors, fileBytes, bosTokenId, stopTokenIds } = await openCheckpoint(
      goldenCheckpoint(name),
    );

    expect(tensors.size).toBe(numTensors);
    expect(new Set(tensors.keys())).toEqual(new Set(expectedTensors(config).keys()));
    expect(tensors.get("language_model.lm_head.weight")?.dtype).toBe(dtype);
    expect(fileBytes).toBeGreaterThan(numTensors);
    // generation_config.json names one more than config.json.
    expect({ bosTokenId, stopTokenIds }).toEqual({ bosTokenId: 1, stopTokenIds: [2, 6] });
  });

  test("halves of one model hold the same numbers", async () => {
    const [full, half] = await Promise.all(
      ["tiny-a", "tiny-a-bf16"].map((name) => openCheckpoint(goldenCheckpoint(name))),
    );
    const name = "vision_model.gated_positional_embedding.embedding";
    const [wide, narrow] = [full?.tensors.get(name), half?.tensors.get(name)];
    if (wide === undefined || narrow === undefined) throw new Error(`no ${name}`);

    const [numbers, rounded] = await Promise.all([readTensorF32(wide), readTensorF32(narrow)]);
    expect(rounded).toHaveLength(numbers.length);
    for (const [index, number] of numbers.entries()) {
      expect(Math.abs(number - (rounded[index] ?? Number.NaN))).toBeLessThanOrEqual(
        Math.abs(number) * 2 ** -8,
      );
    }
  });
});

test("a snapshot of the hub's cache, where every file is a link into blobs", async () => {
  using cache = temporaryFolder();
  const blobs = join(cache.path, "blobs");
  const snapshot = join(cache.path, "snapshots", "0123abc");
  cpSync(goldenCheckpoint("tiny-a-v5-f16"), blobs, { recursive: true });
  mkdirSync(snapshot, { recursive: true });
  for (const [index, file] of readdirSync(blobs).entries()) {
    renameSync(join(blobs, file), join(blobs, `${index}`));
    symlinkSync(join("..", "..", "blobs", `${index}`), join(snapshot, file));
  }

  const { tensors } = await openCheckpoint(snapshot);

  expect(tensors.size).toBe(150);
  for (const { path } of tensors.values()) expect(basename(path)).toMatch(/^model-/);
});

// A file of holes takes no room, except where a file system has none.
test.skipIf(process.platform === "win32")(
  "the 11B at its full size in one file, past what 32 bits can address (skipped on Windows)",
  async () => {
    using copy = copyOfCheckpoint("tiny-a");
    const config = {
      model_type: "mllama",
      architectures: ["MllamaForConditionalGeneration"],
      vision_config: { image_size: 560 },
      text_config: {},
    };
    writeFileSync(join(copy.path, "config.json"), JSON.stringify(config));
    editJson(join(copy.path, "preprocessor_config.json"), (json) => {
      json["size"] = { height: 560, width: 560 };
    });
    rmSync(join(copy.path, "generation_config.json"));
    let end = 0;
    const header = Object.fromEntries(
      [...expectedTensors(parseMllamaConfig(config))].map(([name, shape]) => {
        const begin = end;
        end += 2 * shape.reduce((product, extent) => product * extent, 1);
        return [name, { dtype: "BF16", shape, data_offsets: [begin, end] }];
      }),
    );
    const weights = join(copy.path, "model.safetensors");
    const start = safetensorsBytes(header);
    writeFileSync(weights, start);
    truncateSync(weights, start.length + end);

    const { tensors, fileBytes } = await openCheckpoint(copy.path);

    expect(fileBytes).toBe(21_340_441_670);
    const gate = tensors.get("language_model.model.layers.38.cross_attn_mlp_gate");
    if (gate === undefined) throw new Error("no gate");
    expect(gate.offset).toBeGreaterThan(2 ** 34);
    const file = openSync(weights, "r+");
    writeSync(file, Uint16Array.of(0x3fc0), 0, 2, gate.offset);
    closeSync(file);
    expect([...(await readTensorF32(gate))]).toEqual([1.5]);
  },
);

describe("what a checkpoint may have besides, or go without", () => {
  test("no generation_config.json: the end tokens of config.json", async () => {
    using copy = copyOfCheckpoint("tiny-a");
    rmSync(join(copy.path, "generation_config.json"));

    expect(await openCheckpoint(copy.path)).toMatchObject({ bosTokenId: 1, stopTokenIds: [2] });
  });

  test("a generation_config.json without tokens", async () => {
    using copy = copyOfCheckpoint("tiny-a");
    editJson(join(copy.path, "generation_config.json"), (json) => {
      delete json["bos_token_id"];
      json["eos_token_id"] = null;
    });

    expect(await openCheckpoint(copy.path)).toMatchObject({ bosTokenId: 1, stopTokenIds: [2] });
  });

  test("frequencies that anybody can compute are left aside", async () => {
    using copy = copyOfCheckpoint("tiny-a");
    const name = "language_model.model.layers.0.self_attn.rotary_emb.inv_freq";
    rewriteSafetensors(join(copy.path, "model.safetensors"), (tensors) => {
      tensors.set(name, { dtype: "F32", shape: [4], data: new Uint8Array(16) });
    });

    const { tensors } = await openCheckpoint(copy.path);
    expect(tensors.size).toBe(168);
    expect(tensors.has(name)).toBe(false);
  });

  test("one file and a left-over index: the file, as the reference chooses", async () => {
    using copy = copyOfCheckpoint("tiny-a");
    writeFileSync(join(copy.path, "model.safetensors.index.json"), "{}");

    expect((await openCheckpoint(copy.path)).tensors.size).toBe(168);
  });

  test("code of its own, which nobody looks at (MF-22)", async () => {
    using copy = copyOfCheckpoint("tiny-a");
    writeFileSync(join(copy.path, "modeling_mllama.py"), "raise SystemExit");

    expect((await openCheckpoint(copy.path)).tensors.size).toBe(168);
  });
});
