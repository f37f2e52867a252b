/** What SQLite and the file system say about the state's file → one sentence for a person. */
import { PlatformError } from "../base/errors.ts";

/** Failures of the disk and of the file; others are ours. */
const ofTheStore =
  /^SQLITE_(BUSY|LOCKED|READONLY|IOERR|CORRUPT|NOTADB|FULL|CANTOPEN|PERM|AUTH|PROTOCOL|NOLFS)/;

export function isFailureOfTheStore(code: string): boolean {
  return ofTheStore.test(code);
}

/** @param file `undefined`: everything is kept in memory */
export function toStateError(cause: unknown, file: string | undefined): PlatformError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const where = file ?? "the memory";
  if (/^SQLITE_FULL|^ENOSPC|^EDQUOT/.test(code)) {
    return new PlatformError(
      "disk_full",
      `The state in ${where} cannot be written: the disk is full. Make room; what was written before is kept.`,
      { cause },
    );
  }
  return new PlatformError("state_unusable", sentenceFor(code, where), { cause });
}

function sentenceFor(code: string, where: string): string {
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return damaged(where);
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return `Another program is writing the state in ${where} and does not finish. Try again, or end that program.`;
  }
  if (/^SQLITE_READONLY|^EROFS|^EACCES|^EPERM/.test(code)) {
    return `The state in ${where} cannot be written. Make it and its directory writable for you, or set ATALAYA_HOME to another directory.`;
  }
  return `The state in ${where} cannot be opened${code === "" ? "" : ` (${code})`}. See that the directory is there and yours, or set ATALAYA_HOME to another directory.`;
}

export function damaged(where: string): string {
  return `The state in ${where} is damaged, and is not replaced by an empty one. Put a copy in its place (upgrades leave state-before-….db beside it), or move it away to start without keys, accounts and kept models.`;
}
