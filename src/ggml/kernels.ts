/**
 * Our own operators in C++ (`kernels/`), for processors on which they are several times faster than ggml's:
 * Linux on x64 with AVX-512 and bfloat16. Everywhere else there are none, and ggml computes.
 *
 * The library is one of ours, with its hash beside it: a file that is not what was built is not loaded.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import { packageRoot } from "../base/package-root.ts";
import { type Dtype, dtypeTraits } from "./dtype.ts";
import type { GgmlLibrary } from "./library.ts";
import type { Pointer } from "./symbols.ts";

export type Kernels = {
  /** Of the library's file: others may round differently. */
  readonly hash: string;
  readonly linear: Pointer;
  /** Where there is VNNI. */
  readonly fewRows: Pointer | undefined;
  readonly packKeys: Pointer;
  readonly attend: Pointer;
  /** Whether `packKeys` and `attend` take heads of this width. */
  isHeadSize(size: number): boolean;
  /** bf16 elements that `packKeys` makes of keys and values. */
  packedKeysLength(numHeads: number, numKeys: number, headSize: number): number;
};

/**
 * How many rows a product needs with weights of each dtype before `linear` is the fastest: fewer are multiplied
 * by `fewRows`, or by ggml where that has not the dtype (`bench/products.ts`).
 */
export const leastRows: Readonly<Partial<Record<Dtype, number>>> = {
  bf16: 12,
  q8_0: 52,
  q6_k: 384,
  q5_k: 144,
  q4_k: 128,
  q4_0: 72,
};

/** What a row's width has to be a multiple of, for `fewRows` by dtype. */
export const fewRowsPiece: Readonly<Partial<Record<Dtype, number>>> = {
  q8_0: 128,
  q6_k: 256,
  q5_k: 256,
  q4_k: 256,
  q4_0: 128,
};

/** Among the options of `linear`: weights lie in the layout of `Backend.allocateRepacked`. */
export const WOVEN = 256n;

/** `enum Activation` of `kernels/linear.h`. */
export const activations = { none: 0n, gelu: 1n } as const;
export type Activation = keyof typeof activations;

const symbols = {
  level: "int atalaya_level()",
  operator: "void* atalaya_operator(const char* name, int level)",
  setReader:
    "void atalaya_set_reader(int type, void* toFloat, int64_t blockLength, int64_t blockBytes)",
  isHeadSize: "int atalaya_is_head_size(int level, int64_t size)",
  packedKeysLength:
    "int64_t atalaya_packed_keys_length(int level, int64_t numHeads, int64_t numKeys, int64_t headSize)",
  tensorData: "void* atalaya_tensor_data(const void* tensor)",
  tensorBytes: "int64_t atalaya_tensor_bytes()",
} as const;

/** Levels of instructions by `atalaya_level`'s numbers. */
const levels = { avx2: 1, avx512: 2, avx512bf16: 3 } as const;
export type Instructions = keyof typeof levels;

/** Which of them there are, or why there are none. */
export type FoundKernels =
  | { readonly kernels: Kernels }
  | { readonly kernels: undefined; readonly why: string };

const found = new Map<Instructions | undefined, FoundKernels>();

/**
 * The operators for this processor, loaded once.
 *
 * @param wanted those for other instructions than the best, where the processor has them; for tests and measurements
 */
export function findKernels(ggml: GgmlLibrary, wanted?: Instructions): FoundKernels {
  const known = found.get(wanted) ?? load(ggml, join(packageRoot(), "kernels/prebuilt"), wanted);
  found.set(wanted, known);
  return known;
}

/** @param directory with `hashes.json` and a folder for each platform */
export function load(
  { base }: GgmlLibrary,
  directory: string,
  wanted?: Instructions,
): FoundKernels {
  const none = (why: string): FoundKernels => ({ kernels: undefined, why });
  const platform = `${process.platform}-${process.arch}`;
  const file = join(directory, platform, "libatalaya-kernels.so");
  if (!existsSync(file)) return none(`there are none for ${platform}`);
  const hashes = JSON.parse(readFileSync(join(directory, "hashes.json"), "utf8")) as unknown;
  const expected = new Map(Object.entries(hashes ?? {})).get(platform);
  const hash = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (hash !== expected) return none(`${file} is not the file that was built for this version`);
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(file);
  } catch (error) {
    return none(`${file} cannot be loaded: ${error instanceof Error ? error.message : error}`);
  }
  const call = (symbol: keyof typeof symbols, ...args: readonly unknown[]): unknown =>
    library.func(symbols[symbol])(...args);
  const best = Number(call("level"));
  const level = wanted === undefined ? best : levels[wanted];
  if (level > best) return none(`this processor has no ${wanted}`);
  if (level < levels.avx512bf16 && wanted === undefined) {
    return none("this processor has no AVX-512 with bfloat16 and VNNI");
  }
  // They read ggml's tensors: of another layout they would read anything.
  if (Number(call("tensorBytes")) + objectBytes !== Number(base.ggml_tensor_overhead())) {
    return none("they were built for another ggml");
  }
  const operator = (name: string): Pointer => {
    const address = call("operator", name, level);
    if (typeof address !== "bigint") throw new Error(`${file} has no operator ${name}`);
    return address;
  };
  for (const dtype of ["q4_k", "q5_k", "q6_k"] as const) {
    const { ggmlType, blockLength, blockBytes } = dtypeTraits[dtype];
    const toFloat: unknown = koffi.decode(
      base.ggml_get_type_traits(ggmlType),
      TO_FLOAT_OFFSET,
      "void*",
    );
    call("setReader", ggmlType, toFloat, blockLength, blockBytes);
  }
  return {
    kernels: {
      hash,
      linear: operator("linear"),
      fewRows: level === levels.avx512bf16 ? operator("few-rows") : undefined,
      packKeys: operator("pack-keys"),
      attend: operator("attend"),
      isHeadSize: (size) => call("isHeadSize", level, size) === 1,
      packedKeysLength: (numHeads, numKeys, headSize) =>
        Number(call("packedKeysLength", level, numHeads, numKeys, headSize)),
    },
  };
}

/** Of `to_float` in `struct ggml_type_traits`. */
const TO_FLOAT_OFFSET = 40;

/** `sizeof(struct ggml_object)`, which ggml counts to a tensor. */
const objectBytes = 32;
