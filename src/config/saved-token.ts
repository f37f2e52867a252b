/**
 * The token of a login, kept for the commands that come after: one file a server, its owner's alone.
 *
 * Its name is the hash of the server's address, as in Xinference's own directory.
 */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PlatformError } from "../base/errors.ts";

export function savedToken(home: string, endpoint: string): string | undefined {
  const file = fileOf(home, endpoint);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (process.platform !== "win32" && (found.mode & 0o077) !== 0) {
    throw new PlatformError(
      "forbidden",
      `Others on this machine can read ${file}, which holds the token of your login. Remove it, and run atalaya login again.`,
    );
  }
  return readFileSync(file, "utf8").trim();
}

export function saveToken(home: string, endpoint: string, token: string): void {
  const directory = join(home, "auth");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const file = fileOf(home, endpoint);
  rmSync(file, { force: true });
  writeFileSync(file, token, { mode: 0o600, flag: "wx" });
}

/** @returns whether there was one */
export function forgetToken(home: string, endpoint: string): boolean {
  const file = fileOf(home, endpoint);
  const wasThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
  rmSync(file, { force: true });
  return wasThere;
}

function fileOf(home: string, endpoint: string): string {
  return join(home, "auth", createHash("sha256").update(endpoint).digest("hex"));
}
