/** Which directories a registered model may lie in. */
import { realpath, stat } from "node:fs/promises";
import { isAbsolute, relative } from "node:path";
import { PlatformError } from "../base/errors.ts";

const WRITABLE_BY_OTHERS = 0o002;

/**
 * Resolve a checkpoint's directory and see that it may be used: an absolute path whose real place,
 * links followed, is under one of `roots`, and which only its owner and group can write to.
 *
 * @param roots absolute directories
 * @returns the real path
 * @throws PlatformError `invalid_request` for a path that names no directory of its own accord,
 *   `model_not_found` without such a directory, `forbidden` outside of the roots
 */
export async function checkModelPath(path: string, roots: readonly string[]): Promise<string> {
  if (!isAbsolute(path) || path.includes("\0")) {
    throw refused(
      "invalid_request",
      `The path ${JSON.stringify(path.slice(0, 100))} is not absolute. Write it in full, without ~ or variables.`,
    );
  }
  const real = await realpath(path).catch((cause: unknown) => {
    throw refused("model_not_found", `There is no directory ${path} that can be read.`, cause);
  });
  const realRoots = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
  if (!realRoots.some((root) => root !== undefined && isInside(real, root))) {
    const where = real === path ? path : `${path} (really ${real})`;
    throw refused(
      "forbidden",
      `${where} lies outside of the directories that registered models may come from (${roots.join(", ")}). Move it there, or name its directory in ATALAYA_MODEL_ROOTS.`,
    );
  }
  const info = await stat(real);
  if (!info.isDirectory()) {
    throw refused("invalid_request", `${path} is a file. Name the directory of a checkpoint.`);
  }
  if (process.platform !== "win32" && (info.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw refused(
      "forbidden",
      `${path} can be written by every user of this machine, who could exchange the model. Run chmod o-w on it first.`,
    );
  }
  return real;
}

function isInside(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === "" || (!/^\.\.([\\/]|$)/.test(way) && !isAbsolute(way));
}

function refused(
  code: "invalid_request" | "model_not_found" | "forbidden",
  message: string,
  cause?: unknown,
): PlatformError {
  return new PlatformError(code, message, { cause, details: { param: "model_uri" } });
}
