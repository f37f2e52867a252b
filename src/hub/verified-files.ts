/**
 * Which files were compared with their checksums, and what they were then: a file that has kept its size, its time of
 * change and its inode since is not read again. That spares every launch but the first the reading of some 20 GB.
 *
 * A record a file, named after the file's path, under `ATALAYA_HOME`; any may be deleted at any time. It is worth as much as the
 * times of a file system are: who sets them back after a change is not found out here, but by `atalaya cached --verify`.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { removeFiles, writeWhole } from "./files.ts";
import type { FileDigest } from "./sources/source.ts";

const Verified = z.object({
  version: z.literal(1),
  path: z.string(),
  size_bytes: z.int().min(0),
  /** Nanoseconds, which a JSON number cannot hold. */
  modified_ns: z.string(),
  inode: z.string(),
  digest: z.string(),
});
type Verified = z.infer<typeof Verified>;

export class VerifiedFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether the file was found to have this checksum, and is as it was then. `false` when in doubt. */
  async has(path: string, digest: FileDigest): Promise<boolean> {
    try {
      const now = await describe(path, digest);
      const text = await readFile(this.#recordPath(now.path), "utf8");
      const before = Verified.parse(JSON.parse(text));
      return Object.entries(now).every(([key, value]) => before[key as keyof Verified] === value);
    } catch {
      return false;
    }
  }

  /**
   * Keep that a file has this checksum.
   *
   * Where that cannot be kept nothing is lost but time.
   */
  async remember(path: string, digest: FileDigest): Promise<void> {
    try {
      const record = await describe(path, digest);
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeWhole(this.#recordPath(record.path), JSON.stringify(record));
    } catch {
      // Read-only, full, or gone meanwhile.
    }
  }

  /** @param paths real ones, of files that are about to be removed or are gone */
  async forget(paths: readonly string[]): Promise<void> {
    await removeFiles(...paths.map((path) => this.#recordPath(path)));
  }

  #recordPath(path: string): string {
    const key = createHash("sha256").update(path).digest("hex").slice(0, 32);
    return join(this.#directory, `${key}.json`);
  }
}

async function describe(path: string, { algorithm, hex }: FileDigest): Promise<Verified> {
  const real = await realpath(path);
  const { size, mtimeNs, ino } = await stat(real, { bigint: true });
  return {
    version: 1,
    path: real,
    size_bytes: Number(size),
    modified_ns: `${mtimeNs}`,
    inode: `${ino}`,
    digest: `${algorithm}:${hex}`,
  };
}
