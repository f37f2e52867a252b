/** Checksums as hubs give them. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileDigest } from "./sources/source.ts";

/** @returns the digest in lower case hexadecimal digits */
export async function digestOf(
  chunks: AsyncIterable<Uint8Array>,
  {
    algorithm,
    sizeBytes,
    signal,
  }: {
    readonly algorithm: FileDigest["algorithm"];
    readonly sizeBytes: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<string> {
  const hash = createHash(algorithm === "sha256" ? "sha256" : "sha1");
  // What git hashes of a file: its kind and length, then its bytes.
  if (algorithm === "git-sha1") hash.update(`blob ${sizeBytes}\0`);
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest("hex");
}

/** Whether a file on the disk has the size and the digest. `false` when it is not there. */
export async function matchesDigest(
  path: string,
  {
    sizeBytes,
    digest,
    signal,
  }: {
    readonly sizeBytes: number;
    readonly digest: FileDigest;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<boolean> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return false;
  await using _ = { [Symbol.asyncDispose]: () => file.close() };
  if ((await file.stat()).size !== sizeBytes) return false;
  const { algorithm, hex } = digest;
  const chunks = file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 });
  return (await digestOf(chunks, { algorithm, sizeBytes, signal })) === hex;
}
