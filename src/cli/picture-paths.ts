/**
 * Pictures named in a prompt: `what is in ./a.png?` asks about the file.
 *
 * A word that ends like a picture and is a file becomes a picture and leaves the text. A word that
 * is plainly a path but no file stays where it is, and is reported: a picture must not go unseen in
 * silence.
 */
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export type PromptPictures = {
  /** The prompt without the paths of its pictures. */
  readonly text: string;
  /** As they were written, and absolute. */
  readonly pictures: readonly { readonly written: string; readonly path: string }[];
  /** Words that look like a picture's path, where no file is. */
  readonly missing: readonly string[];
};

const ending = String.raw`\.(?:png|jpe?g|webp|gif)`;

/** In quotes, or a word whose spaces are escaped with a backslash. Bounded, to stay linear in a long prompt. */
const pictureWord = new RegExp(
  String.raw`'([^'\n]{1,1024}?${ending})'|"([^"\n]{1,1024}?${ending})"|(?<![^\s'"(])((?:\\.|[^\s'"\\]){1,1024}?${ending})(?=[.,;:!?)\]}>'"]*(?:\s|$))`,
  "gi",
);

export function findPictures(prompt: string, { cwd }: { readonly cwd: string }): PromptPictures {
  const pictures: { written: string; path: string }[] = [];
  const missing: string[] = [];
  const text = prompt.replace(pictureWord, (match: string, ...groups: (string | undefined)[]) => {
    const [single, double, bare] = groups;
    const opening = bare === undefined ? "" : (/^[([{<]+/.exec(bare)?.[0] ?? "");
    const written = single ?? double ?? unescapeSpaces((bare ?? "").slice(opening.length));
    const path = toAbsolute(written, cwd);
    if (path !== undefined && isFile(path)) {
      pictures.push({ written, path });
      return opening;
    }
    if (isPlainlyPath(written)) missing.push(written);
    return match;
  });
  return { text: pictures.length === 0 ? prompt : tidy(text), pictures, missing };
}

function toAbsolute(written: string, cwd: string): string | undefined {
  if (written.startsWith("file:///")) {
    return URL.canParse(written) ? fileURLToPath(written) : undefined;
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(written)) return undefined;
  return /^~[\\/]/.test(written) ? join(homedir(), written.slice(2)) : resolve(cwd, written);
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isPlainlyPath(written: string): boolean {
  return /^(\.{1,2}[\\/]|[\\/]|~[\\/]|[a-z]:[\\/]|file:\/\/)/i.test(written);
}

/** On Windows a backslash is a separator, not an escape. */
function unescapeSpaces(word: string): string {
  return process.platform === "win32" ? word : word.replace(/\\(.)/g, "$1");
}

/** Close the gaps that the paths leave. */
function tidy(text: string): string {
  return text
    .replace(/[([{<]\s*[)\]}>]/g, "")
    .replace(/[ \t]+([?!.,;:]+)(?=\s|$)/g, "$1")
    .replace(/[ \t]{2,}/g, " ")
    .trim();
}
