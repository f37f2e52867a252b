/** What a checkpoint directory tells about itself without being loaded. */
import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PlatformError } from "../base/errors.ts";

export type CheckpointFacts = {
  /** Of all its files. */
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  /** Hex SHA-256 over the names, sizes and times of its files: tells two checkpoints apart. */
  readonly fingerprint: string;
  /** Such as `bfloat16`; `undefined` when config.json does not say. */
  readonly dtype: string | undefined;
  /** Weights, from their size and dtype; `undefined` without a dtype. */
  readonly numWeights: number | undefined;
};

const bytesPerWeight: Readonly<Record<string, number>> = { bfloat16: 2, float16: 2, float32: 4 };

/** A config has a few hundred short lines. */
const maxConfigBytes = 4 * 1024 * 1024;

const Config = z.looseObject({ dtype: z.string().nullish(), torch_dtype: z.string().nullish() });

/** @throws PlatformError `corrupt_model_file` when the files cannot be read any more */
export async function readCheckpointFacts(directory: string): Promise<CheckpointFacts> {
  const files = await listFiles(directory).catch((error: unknown) => {
    throw new PlatformError(
      "corrupt_model_file",
      `The files of ${directory} cannot be read any more. Put them back, or terminate the model.`,
      { cause: error },
    );
  });
  const sizeOf = (isCounted: (name: string) => boolean): number =>
    files.reduce((sum, { name, info }) => sum + (isCounted(name) ? info.size : 0), 0);
  const hash = createHash("sha256");
  for (const { name, info } of files) hash.update(`${name}\0${info.size}\0${info.mtimeMs}\n`);
  const dtype = await readDtype(join(directory, "config.json"));
  const perWeight = dtype === undefined ? undefined : bytesPerWeight[dtype];
  const weightBytes = sizeOf((name) => name.endsWith(".safetensors"));
  return {
    sizeBytes: sizeOf(() => true),
    modifiedAt: new Date(Math.max(0, ...files.map(({ info }) => info.mtimeMs))),
    fingerprint: hash.digest("hex"),
    dtype,
    numWeights: perWeight === undefined ? undefined : Math.round(weightBytes / perWeight),
  };
}

async function listFiles(directory: string): Promise<{ name: string; info: Stats }[]> {
  const names = (await readdir(directory)).toSorted();
  return await Promise.all(
    names.map(async (name) => ({ name, info: await stat(join(directory, name)) })),
  );
}

async function readDtype(path: string): Promise<string | undefined> {
  try {
    if ((await stat(path)).size > maxConfigBytes) return undefined;
    const config = Config.safeParse(JSON.parse(await readFile(path, "utf8")));
    return config.data?.dtype ?? config.data?.torch_dtype ?? undefined;
  } catch {
    return undefined;
  }
}
