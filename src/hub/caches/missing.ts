/** What a checkpoint's directory lacks, told from its own index of weights. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { fileSize } from "../files.ts";
import type { MissingFile } from "./repo-cache.ts";

const Index = z.object({ weight_map: z.record(z.string(), z.string()) });

/** An index of the 90B has 140 kB. */
const MAX_INDEX_BYTES = 8 * 1024 * 1024;

/**
 * For directories that another program filled and left no list of. Whether a file is whole cannot be
 * told here; the engine finds out when it reads it.
 */
export async function missingFromIndex(directory: string): Promise<MissingFile[]> {
  const names = new Set(await readdir(directory).catch(() => []));
  const needed = new Set(["config.json"]);
  const path = join(directory, "model.safetensors.index.json");
  const sizeBytes = await fileSize(path);
  if (sizeBytes !== undefined && sizeBytes <= MAX_INDEX_BYTES) {
    for (const shard of shardsOf(await readFile(path, "utf8"))) needed.add(shard);
  } else if (![...names].some((name) => name.endsWith(".safetensors"))) {
    needed.add("model.safetensors");
  }
  const missing: MissingFile[] = [];
  for (const name of needed) {
    const isThere = names.has(name) && (await fileSize(join(directory, name))) !== undefined;
    if (!isThere) missing.push({ path: name, sizeBytes: undefined });
  }
  return missing;
}

function shardsOf(text: string): Set<string> {
  try {
    return new Set(Object.values(Index.parse(JSON.parse(text)).weight_map));
  } catch {
    // A damaged index is the engine's to describe.
    return new Set();
  }
}
