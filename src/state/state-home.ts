/**
 * Where the state lies: `ATALAYA_HOME/state`, readable by its owner alone, used by one server at a time.
 *
 * The command line (keys, accounts) opens the same database beside a running server: SQLite keeps them
 * apart. Two servers would both start the models that should be running, so the second is refused.
 */
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { tryLockFile } from "../posix/file-lock.ts";
import { StateDatabase } from "./state-database.ts";
import { toStateError } from "./state-error.ts";

export type StateHomeOptions = {
  /** `ATALAYA_HOME`, absolute. */
  readonly home: string;
  /** Of this program. */
  readonly version: string;
};

export interface ServerState extends AsyncDisposable {
  readonly database: StateDatabase;
  /** Tell who is refused later where this server answers. */
  readonly servesAt: (url: string) => Promise<void>;
}

/**
 * For a server, which is the only one on this home until it is disposed of.
 *
 * @throws PlatformError `state_in_use`, `state_unusable`, `disk_full`
 */
export async function openServerState(options: StateHomeOptions): Promise<ServerState> {
  const directory = await prepareDirectory(options.home);
  const note = join(directory, "server.json");
  const lock = await takeServerLock(directory);
  if (lock === undefined) throw await inUse(options.home, note);
  try {
    const database = await openIn(directory, options, true);
    const servesAt = async (url: string): Promise<void> =>
      await writeFile(note, JSON.stringify({ pid: process.pid, url }), { mode: 0o600 });
    await servesAt("");
    return {
      database,
      servesAt,
      [Symbol.asyncDispose]: async () => {
        await database[Symbol.asyncDispose]();
        await lock[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * For a command that reads or changes what a server uses, whether one runs or not.
 *
 * @throws PlatformError `state_unusable`, `disk_full`
 */
export async function openSharedState(options: StateHomeOptions): Promise<StateDatabase> {
  const directory = await prepareDirectory(options.home);
  // Nobody may start with the old tables while they are changed.
  const lock = await takeServerLock(directory);
  try {
    return await openIn(directory, options, lock !== undefined);
  } finally {
    await lock?.[Symbol.asyncDispose]();
  }
}

async function openIn(
  directory: string,
  { version }: StateHomeOptions,
  mayMigrate: boolean,
): Promise<StateDatabase> {
  const file = join(directory, "state.db");
  await refuseReadableByOthers(file);
  return await StateDatabase.open({ file, version, mayMigrate });
}

async function prepareDirectory(home: string): Promise<string> {
  const directory = join(home, "state");
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
  } catch (error) {
    throw toStateError(error, directory);
  }
  return directory;
}

async function takeServerLock(directory: string): Promise<AsyncDisposable | undefined> {
  try {
    return await tryLockFile(join(directory, "server.lock"));
  } catch (error) {
    throw toStateError(error, directory);
  }
}

async function inUse(home: string, note: string): Promise<PlatformError> {
  const text = await readFile(note, "utf8").catch(() => "{}");
  const { pid, url } = parseNote(text);
  const who = pid === undefined ? "Another server" : `Another server (process ${pid})`;
  const where = url === undefined ? "" : `, at ${url}`;
  return new PlatformError(
    "state_in_use",
    `${who} uses ${home}${where}. Talk to that one, or set ATALAYA_HOME to another directory for this one.`,
  );
}

function parseNote(text: string): { readonly pid?: number; readonly url?: string } {
  try {
    const note: unknown = JSON.parse(text);
    if (typeof note !== "object" || note === null) return {};
    return {
      ...("pid" in note && typeof note.pid === "number" ? { pid: note.pid } : {}),
      ...("url" in note && typeof note.url === "string" && note.url !== ""
        ? { url: note.url }
        : {}),
    };
  } catch {
    return {};
  }
}

/** What a file with secrets in it has told others is no secret any more, so its owner must know. */
export async function refuseReadableByOthers(file: string): Promise<void> {
  if (process.platform === "win32") return;
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || (found.mode & 0o077) === 0) return;
  throw new PlatformError(
    "state_unusable",
    `Others on this machine can read ${file}, which holds secrets (mode ${(found.mode & 0o777).toString(8)}). If nobody has, run chmod 600 ${file}; else replace what is in it too.`,
  );
}
