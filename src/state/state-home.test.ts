import { chmod, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EventLog } from "./event-log.ts";
import { openServerState, openSharedState } from "./state-home.ts";

const version = "1.2.3";
let home = "";
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "atalaya-home-"));
});
afterEach(async () => {
  await chmod(join(home, "state"), 0o700).catch(() => undefined);
  await rm(home, { recursive: true, force: true });
});

describe("the state's home", () => {
  test("has one server, and tells a second where it is; commands come beside it", async () => {
    {
      await using server = await openServerState({ home, version });
      await server.servesAt("http://127.0.0.1:1234");
      await expect(openServerState({ home, version })).rejects.toMatchObject({
        code: "state_in_use",
        message: `Another server (process ${process.pid}) uses ${home}, at http://127.0.0.1:1234. Talk to that one, or set ATALAYA_HOME to another directory for this one.`,
      });
      await using shared = await openSharedState({ home, version });
      await new EventLog(shared).add({ type: "key-created", subject: "a", details: { scope: 1 } });
      expect(await new EventLog(server.database).list()).toMatchObject([
        { type: "key-created", subject: "a", actor: undefined, details: { scope: 1 } },
      ]);
    }
    await using again = await openServerState({ home, version });
    expect(await new EventLog(again.database).list()).toHaveLength(1);
  });

  test("is its owner's alone, whatever the umask (LG-03)", async () => {
    const before = process.umask(0);
    try {
      await using _ = await openServerState({ home, version });
      for (const [name, mode] of [
        ["state", 0o700],
        ["state/state.db", 0o600],
        ["state/state.db-wal", 0o600],
        ["state/server.json", 0o600],
      ] as const) {
        expect((await stat(join(home, name))).mode & 0o777, name).toBe(mode);
      }
    } finally {
      process.umask(before);
    }
  });

  test.skipIf(process.platform === "win32")(
    "refuses a file that others can read (AU-20)",
    async () => {
      await (await openServerState({ home, version }))[Symbol.asyncDispose]();
      const file = join(home, "state", "state.db");
      await chmod(file, 0o644);
      const before = await readFile(file);
      await expect(openServerState({ home, version })).rejects.toMatchObject({
        code: "state_unusable",
        message: expect.stringMatching(
          /Others on this machine can read .*state\.db.*mode 644.*chmod 600/,
        ),
      });
      expect(await readFile(file)).toEqual(before);
    },
  );

  // Root may write everywhere.
  test.skipIf(process.getuid?.() === 0)("that cannot be written is told", async () => {
    await chmod(home, 0o500);
    await expect(openServerState({ home, version })).rejects.toMatchObject({
      code: "state_unusable",
      message: expect.stringMatching(/cannot be written\. Make it and its directory writable/),
    });
    await chmod(home, 0o700);
  });
});
