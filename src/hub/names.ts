/**
 * Names that people and hubs give us, checked before they become part of a path or an address.
 *
 * A hub's file names are data: a name that leaves its directory would write where the hub likes.
 */
import { PlatformError } from "../base/errors.ts";

export type RepoId = { readonly owner: string; readonly name: string };

/** `owner/name` */
export function showRepo({ owner, name }: RepoId): string {
  return `${owner}/${name}`;
}

/** @returns `undefined` for what cannot be a repository's id */
export function parseRepoId(text: string): RepoId | undefined {
  const found = /^([\w][\w.-]{0,95})\/([\w][\w.-]{0,95})$/.exec(text);
  const [, owner, name] = found ?? [];
  if (owner === undefined || name === undefined) return undefined;
  // `--` separates both in the caches' directory names.
  if (/--|\.\.|[.-]$/.test(owner) || /--|\.\.|[.-]$/.test(name)) return undefined;
  return { owner, name };
}

/** @throws PlatformError `invalid_request` */
export function checkRepoId(text: string): RepoId {
  const repo = parseRepoId(text);
  if (repo !== undefined) return repo;
  throw new PlatformError(
    "invalid_request",
    `${shown(text)} is no repository of a hub. One looks like meta-llama/Llama-3.2-11B-Vision-Instruct.`,
  );
}

/**
 * A branch, a tag or a commit. It becomes a path below `refs/`.
 *
 * @throws PlatformError `invalid_request`
 */
export function checkRevision(text: string): string {
  const isGood =
    /^[\w][\w./+-]{0,199}$/.test(text) && !/\.\.|\/\/|\/\.|\/$|\.lock(\/|$)/.test(text);
  if (isGood) return text;
  throw new PlatformError(
    "invalid_request",
    `${shown(text)} is no revision. One is a branch, a tag or a commit, such as main.`,
  );
}

/**
 * A file's path inside its repository, `/` between its parts.
 *
 * @throws PlatformError `invalid_hub_answer`
 */
export function checkFilePath(path: string): string {
  const isGood =
    path.length <= 1_000 &&
    !path.includes("\\") &&
    path.split("/").every(isPlainName) &&
    // A drive, a stream or a reserved character.
    !(process.platform === "win32" && /[:*?"<>|]/.test(path));
  if (isGood) return path;
  throw new PlatformError(
    "invalid_hub_answer",
    `The hub lists a file named ${shown(path)}, which could be written outside its directory. Nothing was downloaded.`,
  );
}

function isPlainName(part: string): boolean {
  return (
    part !== "" &&
    part !== "." &&
    part !== ".." &&
    Buffer.byteLength(part) <= 255 &&
    !/\p{Cc}/u.test(part)
  );
}

/**
 * Every path once, and none that is a file here and a directory there.
 *
 * @throws PlatformError `invalid_hub_answer`
 */
export function checkPathsTogether(paths: readonly string[]): void {
  const files = new Set(paths);
  const twice = paths.length === files.size ? undefined : "one file twice";
  const clash = paths.find((path) =>
    path
      .split("/")
      .slice(0, -1)
      .some((_, index, parts) => files.has(parts.slice(0, index + 1).join("/"))),
  );
  const problem = twice ?? (clash === undefined ? undefined : `${shown(clash)} below a file`);
  if (problem === undefined) return;
  throw new PlatformError(
    "invalid_hub_answer",
    `The hub's list of files contradicts itself: it has ${problem}. Nothing was downloaded.`,
  );
}

const MAX_SHOWN = 100;

/** Text from a hub, for a sentence: short, and without characters that a terminal would obey. */
export function shown(text: string): string {
  const start = text.slice(0, MAX_SHOWN).replace(/\p{C}/gu, "?");
  return text.length > MAX_SHOWN ? `${start}…` : start;
}
