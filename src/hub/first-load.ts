/**
 * Before a directory is loaded for the first time its files are compared with their checksums: Python's tools accept whatever
 * has the right length, and a disk may have changed since. What we downloaded ourselves was compared then.
 */
import { readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { repoOfSnapshot } from "./caches/hugging-face-cache.ts";
import { repoInModelScope } from "./caches/model-scope-cache.ts";
import { shown } from "./names.ts";
import type { VerifiedFiles } from "./verified-files.ts";
import { type DamagedFile, type VerifyOptions, verifyDirectory } from "./verify-directory.ts";

/**
 * Compare what was not compared before, of the files that a model is loaded from.
 *
 * A directory without checksums passes: there is nothing to compare with.
 *
 * @param directory of a checkpoint
 * @throws PlatformError `checksum_mismatch` with the file and how to mend it; `cache_unusable` for one that may
 *   not be read
 */
export async function verifyBeforeLoad(
  directory: string,
  options: Pick<VerifyOptions, "signal" | "onProgress"> & { readonly verified: VerifiedFiles },
): Promise<void> {
  const { damaged } = await verifyDirectory(directory, { ...options, isThorough: false });
  const [first] = damaged;
  if (first !== undefined) throw await damageError(directory, first, damaged.length);
}

/** What is wrong with a file of a directory, and what mends it. */
async function damageError(
  directory: string,
  { path, problem }: DamagedFile,
  numDamaged: number,
): Promise<PlatformError> {
  const others = numDamaged > 1 ? ` (and ${numDamaged - 1} more like it)` : "";
  const name = shown(path);
  if (problem.startsWith("cannot be read")) {
    return new PlatformError(
      "cache_unusable",
      `${name} ${problem}${others}. See that the file, and what it links to, is yours to read.`,
    );
  }
  return new PlatformError(
    "checksum_mismatch",
    `${name} is damaged${others}: it ${problem}. ${await remedyFor(directory, path)}`,
  );
}

/** How damaged files of a directory are mended. */
export async function remedyFor(directory: string, path: string): Promise<string> {
  const pull = (repo: string, flags: string): string =>
    `Fetch what is damaged anew: atalaya pull ${repo}${flags} --verify`;
  const onHuggingFace = await repoOfSnapshot(directory);
  if (onHuggingFace !== undefined) {
    const { repo, revision } = onHuggingFace;
    return pull(repo, revision === undefined ? "" : ` --revision ${revision}`);
  }
  const onModelScope = repoInModelScope(directory);
  if (onModelScope !== undefined) {
    const { repo, revision } = onModelScope;
    return pull(repo, `${revision === "master" ? "" : ` --revision ${revision}`} --hub modelscope`);
  }
  const target = await readlink(join(directory, path)).catch(() => path);
  return basename(target).startsWith("sha256-")
    ? `Remove ${target}, then fetch the model again with ollama pull.`
    : "Put a sound copy in its place.";
}
