/** The memory of a model of the registry, for any context and quantization, whatever this machine has. */
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import {
  crossBytesPerTile,
  kvBytesPerToken,
  stepBytes,
  towerBytes,
  WORKER_BASE_BYTES,
} from "../engines/memory.ts";
import { shapeOfConfig } from "../engines/model-shape.ts";
import type { Registry } from "../registry/registry.ts";
import { selectSpec, splitSize } from "../registry/select-spec.ts";

export type MemoryQuestion = {
  readonly name: string;
  readonly size: string | undefined;
  readonly format: string | undefined;
  readonly quantization: string | undefined;
  readonly contextLength: number;
  /** Of a number in the KV cache. */
  readonly kvBits: number;
};

export type ReckonedMemory = {
  /** In billions of parameters. */
  readonly size: number;
  readonly weightBytes: number;
  readonly kvBytes: number;
  /** The process itself. */
  readonly overheadBytes: number;
  /** One picture of every tile, the tower's buffers, and those of a step. */
  readonly activeBytes: number;
};

/** Bits of a weight in a matrix, scales included. */
const bitsOf: Readonly<Record<string, number>> = {
  q8_0: 8.5,
  q6_k: 6.5625,
  q5_k: 5.5,
  q4_k: 4.5,
  q4_0: 4.5,
  fp8: 8,
  "8-bit": 8,
  "4-bit": 4.5,
  bitsandbytes: 4.5,
};

/**
 * @returns `undefined` when the registry does not know the model's configuration
 * @throws PlatformError `model_not_found`, `invalid_request`
 */
export async function reckonMemory(
  { name, size, format, quantization = "none", contextLength, kvBits }: MemoryQuestion,
  registry: Registry,
): Promise<ReckonedMemory | undefined> {
  const named = splitSize(name);
  const { family, spec: ofHubId } = await registry.find(named.name);
  const spec = ofHubId ?? selectSpec(family, { size: size ?? named.size, format });
  if (spec.config === undefined) return undefined;
  const shape = shapeOfConfig(spec.config);
  const { maxPositions } = shape.text;
  if (contextLength > maxPositions) {
    throw refused(
      `A context of ${contextLength} tokens is more than the ${maxPositions} positions of this model. Lower it.`,
      "context_length",
    );
  }
  const bits = quantization === "none" ? undefined : bitsOf[quantization.toLowerCase()];
  if (quantization !== "none" && bits === undefined) {
    const names = ["none", ...Object.keys(bitsOf)];
    throw refused(
      `There is no quantization ${JSON.stringify(quantization.slice(0, 40))}; choose one of: ${names.join(", ")}.${didYouMean(quantization, names)}`,
      "quantization",
    );
  }
  const picture = shape.vision.maxTiles * crossBytesPerTile(shape, "f16");
  return {
    size: spec.size,
    weightBytes:
      bits === undefined ? shape.fileBytes : (shape.numParameters * bits) / 8 + shape.vectorBytes,
    kvBytes: (contextLength * kvBytesPerToken(shape, "f16") * kvBits) / 16,
    overheadBytes: WORKER_BASE_BYTES,
    activeBytes:
      picture + towerBytes(shape, "f16") + stepBytes(shape, { contextLength, dtype: "f16" }),
  };
}

function refused(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
