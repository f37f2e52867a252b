/**
 * Locks between processes, as Python's `filelock` takes them: `flock(2)` on a file of its own.
 *
 * A lock of another kind (a directory, a file with a process id) would be invisible to Python, and both
 * would write the same file. The system frees a lock when its process ends, however it ends. Windows has
 * no `flock`: there, nothing is locked.
 *
 * @see filelock 4.2.12, `_unix.py`, `UnixFileLock`
 */
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import koffi from "koffi";

const LOCK_EX = 2;
const LOCK_NB = 4;
/** Between two tries; `flock` without LOCK_NB would occupy a thread and could not be given up. */
const retryMs = 50;

type Flock = (descriptor: number, operation: number) => number;
let flock: Flock | undefined;

/** Waits as long as another holds it. Disposing what is returned frees the lock. */
export async function lockFile(
  path: string,
  {
    signal,
    onWait = () => undefined,
  }: { readonly signal?: AbortSignal | undefined; readonly onWait?: (() => void) | undefined } = {},
): Promise<AsyncDisposable> {
  for (let numTries = 0; ; numTries++) {
    signal?.throwIfAborted();
    const lock = await tryLockFile(path);
    if (lock !== undefined) return lock;
    if (numTries === 0) onWait();
    await sleep(retryMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

/**
 * @returns `undefined` when another holds it
 * @throws the system's error when the file cannot be made, or its file system knows no locks
 */
export async function tryLockFile(path: string): Promise<AsyncDisposable | undefined> {
  if (process.platform === "win32") return { [Symbol.asyncDispose]: async () => undefined };
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  const file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o666);
  try {
    if (takeLock(file.fd, path) && (await isStillAt(file, path))) {
      return { [Symbol.asyncDispose]: () => file.close() };
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

function takeLock(descriptor: number, path: string): boolean {
  // The process itself has the function: no library's name, which differs between systems.
  flock ??= koffi.load(null).func("int flock(int fd, int operation)") as Flock;
  if (flock(descriptor, LOCK_EX | LOCK_NB) === 0) return true;
  const code = koffi.errno();
  const { EWOULDBLOCK, EAGAIN, EACCES, EINTR } = koffi.os.errno;
  if ([EWOULDBLOCK, EAGAIN, EACCES, EINTR].includes(code)) return false;
  throw new Error(`locking ${path} failed with error ${code} of the system`);
}

/** A lock on a file that somebody has removed excludes nobody. */
async function isStillAt(file: FileHandle, path: string): Promise<boolean> {
  const [held, there] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  return held.ino === there?.ino && held.dev === there.dev;
}
