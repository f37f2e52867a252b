import { beforeEach, describe, expect, test, vi } from "vitest";
import { EventLog } from "../state/event-log.ts";
import { StateDatabase } from "../state/state-database.ts";
import { Accounts } from "./accounts.ts";
import { FileAccounts } from "./auth-config.ts";
import { Sessions, type Tokens } from "./sessions.ts";

// Passwords take a third of a second each, and much longer on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const start = Date.parse("2026-11-25T12:00:00Z");
const hourMs = 60 * 60 * 1_000;
const clock = { ms: start };
const now = (): Date => new Date(clock.ms);
beforeEach(() => {
  clock.ms = start;
});

async function logIn(database: StateDatabase): Promise<{ sessions: Sessions; tokens: Tokens }> {
  const events = new EventLog(database);
  const accounts = new Accounts(database, events, now);
  const wish = { username: "ann", password: "correct horse", permissions: [] };
  const account = await accounts.create(wish, "test");
  const sessions = new Sessions(database, events, now);
  return { sessions, tokens: await sessions.begin(account) };
}

describe("a login", () => {
  test("ends after twelve hours, give or take a minute of clocks that differ (AU-08)", async () => {
    await using database = StateDatabase.inMemory();
    const { sessions, tokens } = await logIn(database);
    clock.ms = start + 12 * hourMs + 59_000;
    expect(await sessions.verify(tokens.accessToken)).toMatchObject({ principal: { name: "ann" } });
    clock.ms = start + 12 * hourMs + 61_000;
    expect(await sessions.verify(tokens.accessToken)).toBe(undefined);
    const { tokens: next } = await sessions.refresh(tokens.refreshToken);
    expect(await sessions.verify(next.accessToken)).toMatchObject({ principal: { name: "ann" } });
  });

  test("is not gone on with after a week (AU-08)", async () => {
    await using database = StateDatabase.inMemory();
    const { sessions, tokens } = await logIn(database);
    clock.ms = start + 7 * 24 * hourMs;
    await expect(sessions.refresh(tokens.refreshToken)).rejects.toMatchObject({
      code: "unauthenticated",
    });
  });
});

test("a login by a file of users ends when the file says (AU-08)", async () => {
  const file = new FileAccounts(
    {
      auth_config: { algorithm: "HS256", secret_key: "0".repeat(32), token_expire_in_minutes: 30 },
      user_config: [{ username: "u", password: "secret", permissions: [], api_keys: [] }],
    },
    now,
  );
  const token = (await file.logIn("u", "secret")) ?? "";
  clock.ms = start + hourMs / 2 - 1_000;
  expect(await file.principalOfToken(token)).toMatchObject({ name: "u" });
  clock.ms = start + hourMs / 2;
  expect(await file.principalOfToken(token)).toBe(undefined);
});
