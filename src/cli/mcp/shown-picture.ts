/** What a client of MCP names as a picture → a picture to ask about, or a refusal that says what is allowed. */
import { realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { PlatformError } from "../../base/errors.ts";
import type { ImageSource } from "../../generation/request.ts";
import { readPicture } from "../ask.ts";

const base64Url = /^data:[a-z0-9.+-]+\/[a-z0-9.+-]+;base64,([A-Za-z0-9+/_-]+={0,2})$/i;

/**
 * A path, a `file:`, `http:` or `https:` address, or a `data:` URL.
 *
 * A file must lie, links followed, under one of `folders`: whoever writes the words of a conversation would
 * otherwise choose which files of this machine are read. Addresses are read later, where the policy for them is.
 *
 * @param folders absolute
 * @throws PlatformError `forbidden`, `invalid_image`
 */
export async function shownPicture(
  image: string,
  { folders, cwd }: { readonly folders: readonly string[]; readonly cwd: string },
): Promise<ImageSource> {
  if (/^https?:/i.test(image)) return { url: image };
  if (/^data:/i.test(image)) {
    const [, base64] = base64Url.exec(image) ?? [];
    if (base64 === undefined) {
      throw new PlatformError(
        "invalid_image",
        "The picture is a data: URL, but not data:image/png;base64,… with base64 in it.",
      );
    }
    return { bytes: Buffer.from(base64, "base64") };
  }
  return await readPicture(await allowedFile(toPath(image, cwd), folders));
}

function toPath(image: string, cwd: string): string {
  if (/^file:/i.test(image)) {
    if (URL.canParse(image) && /^file:\/\/\//i.test(image)) return fileURLToPath(image);
    throw new PlatformError("invalid_image", `${image} is no address of a file on this machine.`);
  }
  return /^~[\\/]/.test(image) ? join(homedir(), image.slice(2)) : resolve(cwd, image);
}

/** Said alike for what is missing and for what lies elsewhere: it must not tell which files there are. */
async function allowedFile(path: string, folders: readonly string[]): Promise<string> {
  const real = await realpath(path).catch(() => undefined);
  for (const folder of folders) {
    const root = await realpath(folder).catch(() => undefined);
    if (real !== undefined && root !== undefined && isInside(real, root)) return real;
  }
  throw new PlatformError(
    "forbidden",
    `${path} is no file in ${folders.join(", ")}; those are the folders that may be looked at (atalaya mcp --folder DIRECTORY).`,
  );
}

function isInside(path: string, root: string): boolean {
  const rest = relative(root, path);
  return rest !== "" && rest !== ".." && !rest.startsWith(`..${sep}`) && !isAbsolute(rest);
}
