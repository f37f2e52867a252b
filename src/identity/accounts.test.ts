import { expect, test, vi } from "vitest";
import { EventLog } from "../state/event-log.ts";
import { StateDatabase } from "../state/state-database.ts";
import { Accounts } from "./accounts.ts";

// Passwords take a third of a second each, and much longer on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

test("who is reset, or shut out, while it changes its password has not changed it", async () => {
  await using database = StateDatabase.inMemory();
  const accounts = new Accounts(database, new EventLog(database));
  const wish = { username: "ann", password: "correct horse", permissions: [] };
  const { id, generation } = await accounts.create(wish, "test");
  await accounts.change("ann", { password: "reset by another" }, "root");
  await expect(
    accounts.change(id, { password: "her own choice" }, "ann", { generation }),
  ).rejects.toMatchObject({ code: "unauthenticated" });
  const known = await accounts.verify("ann", "reset by another");
  expect(known?.generation).toBe(generation + 1);
});

test("limits alone end no login; every other change ends all", async () => {
  await using database = StateDatabase.inMemory();
  const accounts = new Accounts(database, new EventLog(database));
  const wish = { username: "ann", password: "correct horse", permissions: [] };
  const { generation } = await accounts.create(wish, "test");
  const limited = await accounts.change("ann", { allowance: { tokensPerDay: 5 } }, "test");
  expect(limited).toMatchObject({ generation, allowance: { tokensPerDay: 5 } });
  const other = await accounts.change("ann", { allowance: { imagesPerDay: 2 } }, "test");
  expect(other.allowance).toMatchObject({ tokensPerDay: 5, imagesPerDay: 2 });
  const free = await accounts.change("ann", { allowance: { tokensPerDay: null } }, "test");
  expect(free.allowance).toMatchObject({ tokensPerDay: undefined, imagesPerDay: 2 });
  let last = generation;
  for (const change of [
    { permissions: ["models:list"] as const },
    { mustChangePassword: true },
    { isEnabled: false },
    { isEnabled: true, allowance: { maxConcurrent: 1 } },
  ]) {
    expect((await accounts.change("ann", change, "test")).generation).toBe(++last);
  }
});
