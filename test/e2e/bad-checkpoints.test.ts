/** Every way in which a checkpoint directory can be wrong, and the sentence that it gets. */
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { PlatformError } from "../../src/base/errors.ts";
import { openCheckpoint } from "../../src/models/mllama/checkpoint.ts";
import { asNobody, lackOfNobody } from "../support/as-nobody.ts";
import {
  editJson,
  editSafetensors,
  type Json,
  rewriteSafetensors,
  type StoredTensor,
  temporaryFolder,
} from "../support/checkpoint-files.ts";
import { goldenCheckpoint } from "../support/golden.ts";

const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] as const;
const HEAD = "language_model.lm_head.weight";
const POSITIONS = "vision_model.gated_positional_embedding.embedding";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const directory = join(folder.path, "model");

async function refusal(path: string): Promise<PlatformError> {
  const startedMs = performance.now();
  const error = await openCheckpoint(path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PlatformError);
  expect(performance.now() - startedMs).toBeLessThan(1000);
  if (!(error instanceof PlatformError)) throw new Error("unreachable");
  expect(error.message).toMatch(/^[^\n]{20,600}\.$/);
  return error;
}

/** A fresh copy, to spoil. */
function copyOf(checkpoint: string): void {
  rmSync(directory, { recursive: true, force: true });
  cpSync(goldenCheckpoint(checkpoint), directory, { recursive: true });
}

type Spoil = (file: (name: string) => string) => void;

function expectRefusal(checkpoint: string, cases: readonly [string, Spoil, RegExp][]): void {
  test.each(cases)("%s", async (_, spoil, says) => {
    copyOf(checkpoint);
    spoil((name) => join(directory, name));

    const error = await refusal(directory);

    expect(error.code).toBe("corrupt_model_file");
    expect(error.message).toMatch(says);
  });
}

const edit =
  (name: string, change: (json: Record<string, Json>) => void): Spoil =>
  (file) =>
    editJson(file(name), change);

const config = (part: "text_config" | "vision_config", keys: Record<string, Json>): Spoil =>
  edit("config.json", (json) => Object.assign(json[part] ?? {}, keys));

const tensors =
  (change: (tensors: Map<string, StoredTensor>) => void): Spoil =>
  (file) =>
    rewriteSafetensors(file(WEIGHTS), change);

const remove =
  (name: string): Spoil =>
  (file) =>
    rmSync(file(name));

const write =
  (name: string, content: string | Uint8Array): Spoil =>
  (file) =>
    writeFileSync(file(name), content);

function tensor(all: ReadonlyMap<string, StoredTensor>, name: string): StoredTensor {
  const found = all.get(name);
  if (found === undefined) throw new Error(`the golden checkpoint has no ${name}`);
  return found;
}

describe("a directory that is none is model_not_found", () => {
  test.each<[why: string, prepare: (path: string) => void, says: RegExp]>([
    ["absent", () => {}, /^There is no directory .*candidate\. Name one that holds/],
    ["a file", (path) => writeFileSync(path, "{}"), /candidate is a file, not a directory\. Name/],
    [
      "empty",
      (path) => mkdirSync(path),
      /candidate holds no checkpoint: config\.json is missing\./,
    ],
    [
      "Meta's own download",
      (path) => {
        mkdirSync(path);
        writeFileSync(join(path, "consolidated.00.pth"), "");
        writeFileSync(join(path, "params.json"), "{}");
      },
      /It looks like Meta's own download; take the one in Hugging Face layout\.$/,
    ],
    ["a link that leads nowhere", (path) => symlinkSync("nowhere", path), /There is no directory/],
    ["a link to itself (MF-20)", (path) => symlinkSync(path, path), /There is no directory/],
  ])("%s", async (_, prepare, says) => {
    const path = join(folder.path, "candidate");
    rmSync(path, { recursive: true, force: true });
    prepare(path);

    const error = await refusal(path);

    expect(error.code).toBe("model_not_found");
    expect(error.message).toMatch(says);
  });
});

describe("JSON files", () => {
  expectRefusal("tiny-a", [
    [
      "config.json is empty",
      write("config.json", ""),
      /config\.json cannot be used: it is no JSON/,
    ],
    [
      "config.json is no UTF-8",
      write("config.json", Buffer.from([0xff])),
      /config\.json .* no JSON/,
    ],
    ["config.json is a list", write("config.json", "[]"), /config\.json .*it is no JSON object/],
    [
      "config.json names a key twice",
      write("config.json", '{"model_type":"mllama","model_type":"llama"}'),
      /config\.json .*\(model_type is named twice\)/,
    ],
    [
      "config.json is nested deep",
      write("config.json", `{"a":${"[".repeat(100_000)}`),
      /config\.json .*nested more than 32 deep/,
    ],
    [
      "config.json is huge",
      write("config.json", " ".repeat(9_000_000)),
      /config\.json .*it has 9000000 bytes, and at most 8388608 are read/,
    ],
    [
      "config.json is a folder",
      (file) => {
        rmSync(file("config.json"));
        mkdirSync(file("config.json"));
      },
      /config\.json cannot be used: it is not a file/,
    ],
    [
      "config.json is a device that never ends",
      (file) => {
        rmSync(file("config.json"));
        symlinkSync("/dev/zero", file("config.json"));
      },
      /cannot be used: (it is not a file|it cannot be opened)|leads nowhere/,
    ],
    [
      "config.json is a link to itself (MF-20)",
      (file) => {
        rmSync(file("config.json"));
        symlinkSync("config.json", file("config.json"));
      },
      /config\.json is a link that leads nowhere/,
    ],
    ["no preprocessor", remove("preprocessor_config.json"), /preprocessor_config\.json is missing/],
    [
      "the preprocessor lacks its size",
      edit("preprocessor_config.json", (json) => delete json["size"]),
      /preprocessor_config\.json lacks "size"/,
    ],
    [
      "the preprocessor has other tiles",
      edit("preprocessor_config.json", (json) => {
        json["size"] = { height: 448, width: 448 };
      }),
      /at most 4 tiles of 448 pixels, and config\.json expects 4 of 28/,
    ],
    [
      "the preprocessor has more tiles",
      edit("preprocessor_config.json", (json) => {
        json["max_image_tiles"] = 16;
      }),
      /at most 16 tiles of 28 pixels, and config\.json expects 4 of 28/,
    ],
    [
      "an end token past the vocabulary (MF-21)",
      edit("generation_config.json", (json) => {
        json["eos_token_id"] = [2, 256];
      }),
      /generation_config\.json names the token 256, past the 256 of the vocabulary/,
    ],
    [
      "an end token that is a text",
      edit("generation_config.json", (json) => {
        json["eos_token_id"] = "</s>";
      }),
      /generation_config\.json has "eos_token_id": "<\/s>"/,
    ],
  ]);
});

describe("another model", () => {
  expectRefusal("tiny-a", [
    [
      "foreign (MF-08)",
      edit("config.json", (json) => {
        json["model_type"] = "llava";
        json["architectures"] = ["LlavaForConditionalGeneration"];
      }),
      /this is llava, LlavaForConditionalGeneration\. Atalaya serves Llama 3\.2 Vision/,
    ],
    [
      "with code of its own (MF-08)",
      edit("config.json", (json) => {
        json["auto_map"] = { AutoModel: "modeling.Model" };
      }),
      /asks for code from its repository/,
    ],
    [
      "only pickled",
      (file) => {
        rmSync(file(WEIGHTS));
        writeFileSync(file("pytorch_model.bin"), "");
      },
      /pickled \(pytorch_model\.bin\), can carry code and are never opened\. .*safe_serialization=True/,
    ],
    [
      "in GGUF",
      (file) => {
        rmSync(file(WEIGHTS));
        writeFileSync(file("model-Q4_0.gguf"), "");
      },
      /weights are in GGUF\. Launch the file itself, model-Q4_0\.gguf/,
    ],
    ["without weights", remove(WEIGHTS), /model\.safetensors is missing\. Download it again/],
  ]);
});

describe("weights in one file (MF-05, MF-06)", () => {
  const bytes = readFileSync(join(goldenCheckpoint("tiny-a"), WEIGHTS));
  expectRefusal("tiny-a", [
    ["empty", write(WEIGHTS, ""), /model\.safetensors cannot be used: it has 0 bytes/],
    ...Array.from({ length: 15 }, (_, index): [string, Spoil, RegExp] => [
      `cut at ${index + 1} sixteenths`,
      (file) => truncateSync(file(WEIGHTS), Math.floor((bytes.length * (index + 1)) / 16)),
      /model\.safetensors cannot be used: it is cut short|its header claims/,
    ]),
    ["a byte too long", write(WEIGHTS, Buffer.concat([bytes, Buffer.alloc(1)])), /it is too long/],
    [
      "a tensor that overlaps another",
      (file) =>
        editSafetensors(file(WEIGHTS), (header) => {
          const [first, second] = Object.values(header).filter((entry) => "dtype" in entry);
          if (first !== undefined && second !== undefined) {
            Object.assign(second, { shape: first.shape, data_offsets: first.data_offsets });
          }
        }),
      /its tensor \S+ overlaps the one before it/,
    ],
    [
      "all offsets shifted by one",
      (file) =>
        editSafetensors(file(WEIGHTS), (header) => {
          for (const entry of Object.values(header)) {
            if (!Array.isArray(entry.data_offsets)) continue;
            entry.data_offsets = entry.data_offsets.map((offset: number) => offset + 1);
          }
        }),
      /leaves a hole before it/,
    ],
    [
      "a text file that a hub stored in its place",
      write(WEIGHTS, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"),
      /it is a pointer of Git LFS and not the file itself: run git lfs pull/,
    ],
  ]);
});

describe("weights that do not fit config.json (MF-11)", () => {
  expectRefusal("tiny-a", [
    [
      "a missing tensor",
      tensors((all) => all.delete(HEAD)),
      /do not fit config\.json: language_model\.lm_head\.weight \[256, 64\] is missing\. Take/,
    ],
    [
      "tensors of an adapter",
      tensors((all) =>
        all.set("lora_A.weight", { dtype: "F32", shape: [1], data: new Uint8Array(4) }),
      ),
      /lora_A\.weight \[1\] belongs to no part of this model/,
    ],
    [
      "a tensor under both of its names",
      tensors((all) => all.set("lm_head.weight", tensor(all, HEAD))),
      /its tensor language_model\.lm_head\.weight is there twice/,
    ],
    [
      "a transposed tensor",
      tensors((all) => all.set(HEAD, { ...tensor(all, HEAD), shape: [64, 256] })),
      /lm_head\.weight has the shape \[64, 256\], and config\.json asks for \[256, 64\]/,
    ],
    [
      "the head flattened",
      tensors((all) => all.set(HEAD, { ...tensor(all, HEAD), shape: [64 * 256] })),
      /has the shape \[16384\], and config\.json asks for \[256, 64\]/,
    ],
    [
      "whole numbers",
      tensors((all) => all.set(HEAD, { ...tensor(all, HEAD), dtype: "I32" })),
      /lm_head\.weight has the type I32; weights are F32, F16 or BF16/,
    ],
    [
      "fewer layers in the config than in the file",
      config("text_config", { num_hidden_layers: 5 }),
      /layers\.5\.\S+ \[[\d, ]+\] belongs to no part of this model \(and 8 more like it\)/,
    ],
    [
      "more layers in the config than in the file",
      config("text_config", { num_hidden_layers: 7 }),
      /layers\.6\.\S+ \[[\d, ]+\] is missing \(and 8 more like it\)/,
    ],
    [
      "another cross-attention layer",
      config("text_config", { cross_attention_layers: [1, 3] }),
      /layers\.3\.cross_attn\.q_proj\.weight \[64, 64\] is missing \(and 11 more like it\)/,
    ],
    [
      "another width",
      config("text_config", { hidden_size: 128 }),
      /has the shape \[\d+(, 64)?\], and config\.json asks for .* \(and \d+ more like it\)\. Take all/,
    ],
    [
      "larger tiles, in both JSON files",
      (file) => {
        editJson(file("config.json"), (json) => {
          Object.assign(json["vision_config"] ?? {}, { image_size: 35 });
        });
        editJson(file("preprocessor_config.json"), (json) => {
          json["size"] = { height: 35, width: 35 };
        });
      },
      new RegExp(
        `${POSITIONS} has the shape \\[17, 32\\], and config\\.json asks for \\[26, 32\\]`,
      ),
    ],
  ]);

  test("the first ten are named for programs", async () => {
    copyOf("tiny-a");
    editJson(join(directory, "config.json"), (json) => {
      Object.assign(json["text_config"] ?? {}, { intermediate_size: 97 });
    });

    const { details } = await refusal(directory);

    expect(details["tensors"]).toHaveLength(10);
  });
});

describe("weights in several files (MF-07)", () => {
  const weightMap = (change: (map: Record<string, Json>) => void): Spoil =>
    edit(INDEX, (json) => change(json["weight_map"] as Record<string, Json>));
  expectRefusal("tiny-a-v5-f16", [
    ["no index", remove(INDEX), /it has model-0000\d-of-00002\.safetensors but no model\.safe/],
    ["an index that is no JSON", write(INDEX, "{"), /index\.json cannot be used: it is no JSON/],
    [
      "an index of nothing",
      write(INDEX, "{}"),
      /index\.json cannot be used: it has no "weight_map"/,
    ],
    [
      "a huge index",
      write(INDEX, " ".repeat(9_000_000)),
      /index\.json .*it has 9000000 bytes, and at most/,
    ],
    ["a shard is missing", remove(SHARDS[1]), /model-00002-of-00002\.safetensors is missing/],
    [
      "a shard outside of the directory",
      weightMap((map) => {
        map["a"] = "../../etc/passwd.safetensors";
      }),
      /it puts a into "\.\.\/\.\.\/etc\/passwd\.safetensors", which is no plain name/,
    ],
    [
      "a shard of a URL",
      weightMap((map) => {
        map["a"] = "https://example.org/m.safetensors";
      }),
      /which is no plain name of a safetensors file/,
    ],
    [
      "a hundred thousand shards",
      write(
        INDEX,
        JSON.stringify({
          weight_map: Object.fromEntries(
            Array.from({ length: 100_000 }, (_, index) => [`${index}`, `${index}.safetensors`]),
          ),
        }),
      ),
      /0\.safetensors is missing/,
    ],
    [
      "a tensor put into the wrong shard",
      weightMap((map) => {
        map["lm_head.weight"] = map["lm_head.weight"] === SHARDS[0] ? SHARDS[1] : SHARDS[0];
      }),
      /puts lm_head\.weight into model-0000\d-of-00002\.safetensors, where it is not/,
    ],
    [
      "one shard twice, the other never",
      (file) => cpSync(file(SHARDS[0]), file(SHARDS[1])),
      /is there twice|where it is not/,
    ],
    [
      "a shard cut short",
      (file) => truncateSync(file(SHARDS[1]), 20_000),
      /model-00002-of-00002\.safetensors cannot be used: it is cut short/,
    ],
  ]);
});

test.skipIf(lackOfNobody !== undefined)(
  `a file that may not be read is named (MF-20)${lackOfNobody === undefined ? "" : ` (skipped: ${lackOfNobody})`}`,
  async () => {
    chmodSync(folder.path, 0o755);
    for (const name of ["config.json", WEIGHTS]) {
      copyOf("tiny-a");
      chmodSync(join(directory, name), 0);
      const { message } = await asNobody(async () => await refusal(directory));
      expect(message).toContain(`${name} cannot be used: it cannot be opened (EACCES).`);
    }
  },
);

test.skipIf(process.platform === "win32")(
  "a socket in a file's place (skipped on Windows, which has none)",
  async () => {
    copyOf("tiny-a");
    rmSync(join(directory, WEIGHTS));
    const server = createServer().listen(join(directory, WEIGHTS));
    await once(server, "listening");
    try {
      const { message } = await refusal(directory);
      expect(message).toMatch(/^model\.safetensors cannot be used: it cannot be opened \(\w+\)\./);
    } finally {
      server.close();
    }
  },
);
