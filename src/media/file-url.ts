/** Reads a `file:` address inside the one folder that is allowed, and nothing else. */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { PlatformError } from "../base/errors.ts";

/**
 * Links are resolved first, and the real path must lie inside the real root. It is opened without
 * following a last link and without waiting for a writer, and what was opened must be what was
 * checked.
 *
 * @throws PlatformError `url_not_allowed`, with one sentence for whatever is wrong
 */
export async function readFileUrl(
  url: string,
  { root, maxBytes }: { readonly root: string; readonly maxBytes: number },
): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    const [path, realRoot] = await Promise.all([realpath(pathOf(url)), realpath(root)]);
    if (!path.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) throw notAllowed();
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const opened = await file.stat();
    if (!opened.isFile() || opened.size > maxBytes) throw notAllowed();
    // A folder on the way may have been exchanged for a link in between.
    const stillThere = await lstat(await realpath(path));
    if (stillThere.ino !== opened.ino || stillThere.dev !== opened.dev) throw notAllowed();
    return await readAtMost(file, maxBytes);
  } catch {
    throw notAllowed();
  } finally {
    await file?.close();
  }
}

function pathOf(url: string): string {
  return fileURLToPath(new URL(url.trim()));
}

/** The file may grow while it is read. */
async function readAtMost(file: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of file.createReadStream({ autoClose: false, end: maxBytes })) {
    const bytes = chunk as Uint8Array;
    sizeBytes += bytes.length;
    if (sizeBytes > maxBytes) throw notAllowed();
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, sizeBytes);
}

function notAllowed(): PlatformError {
  return new PlatformError(
    "url_not_allowed",
    "The file: address of a picture names no file that may be read: only files, of 20 MiB at most, in the folder that this server was started with are. Send the picture as a data: URL.",
  );
}
