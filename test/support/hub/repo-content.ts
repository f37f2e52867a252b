/** What a repository of the test hub holds: bytes from a seed, with the sums that hubs give of them. */
import { createCipheriv, createHash } from "node:crypto";

export type HubFile = {
  readonly path: string;
  readonly bytes: Buffer;
  /** Kept outside git: named by SHA-256, and redirected to the content network. */
  readonly isLfs: boolean;
};

export type HubRepo = {
  /** `owner/name` */
  readonly id: string;
  files: readonly HubFile[];
  /** What `main` and `master` stand for. */
  commit: string;
  /** Who may have it: everybody; who has accepted its licence; nobody else than its owner. */
  readonly access: "public" | "gated" | "private";
  readonly licence: string | undefined;
};

/** The same bytes for the same seed, on every machine. */
function seededBytes(seed: string, length: number): Buffer {
  const key = createHash("sha256").update(seed).digest().subarray(0, 16);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

export const smallFile = (path: string, text: string): HubFile => ({
  path,
  bytes: Buffer.from(text),
  isLfs: false,
});

export const largeFile = (path: string, length: number): HubFile => ({
  path,
  bytes: seededBytes(path, length),
  isLfs: true,
});

/** Sums of large files are asked for with every request. */
const sums = new WeakMap<Buffer, string>();

export function sha256Of(bytes: Buffer): string {
  const known = sums.get(bytes) ?? createHash("sha256").update(bytes).digest("hex");
  sums.set(bytes, known);
  return known;
}

export function gitSha1Of(bytes: Buffer): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** What git keeps of a file whose content lies elsewhere. */
export function pointerOf({ bytes }: HubFile): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256Of(bytes)}\nsize ${bytes.length}\n`;
}

/** The name under which a cache keeps the content. */
export function etagOf(file: HubFile): string {
  return file.isLfs ? sha256Of(file.bytes) : gitSha1Of(file.bytes);
}

/** A commit that follows from the content, as git's do. */
export function commitOf(files: readonly HubFile[]): string {
  const hash = createHash("sha1");
  for (const file of files) hash.update(`${file.path}\0${etagOf(file)}\n`);
  return hash.digest("hex");
}
