import { describe, expect, test } from "vitest";
import { theProgram } from "../../../../base/viewer.ts";
import { RecentResponses } from "./recent-responses.ts";
import type { StoredResponse } from "./response-store.ts";
import { openResponse } from "./to-response.ts";

const stored = (id: string, text = "hello"): StoredResponse => ({
  owner: null,
  response: openResponse(
    { model: "m", input: text },
    {
      prompt: { type: "chat", messages: [] },
      sampling: {
        maxTokens: undefined,
        temperature: 0,
        topK: 0,
        topP: 1,
        minP: 0,
        presencePenalty: 0,
        frequencyPenalty: 0,
        repetitionPenalty: 1,
        seed: undefined,
        stop: [],
        logprobs: undefined,
      },
    },
    { id, messageId: `msg_${id}`, createdAt: 0, numDroppedTurns: 0 },
  ),
  input: [{ id: `in_${id}`, text }],
});

const there = async (kept: RecentResponses, ids: readonly string[]): Promise<boolean[]> =>
  await Promise.all(ids.map(async (id) => (await kept.get(id, theProgram)) !== undefined));

describe("responses kept in memory", () => {
  test("are found by their id, and their items by theirs", async () => {
    const kept = new RecentResponses();
    await kept.put(stored("a"));
    expect((await kept.get("a", theProgram))?.response.id).toBe("a");
    expect(await kept.findItem("in_a", theProgram)).toMatchObject({ text: "hello" });
    expect(await kept.get("b", theProgram)).toBeUndefined();
    expect(await kept.findItem("in_b", theProgram)).toBeUndefined();
  });

  test("are forgotten when they are too old", async () => {
    let now = 0;
    const kept = new RecentResponses({ maxAgeMs: 100, now: () => now });
    await kept.put(stored("a"));
    now = 60;
    await kept.put(stored("b"));
    now = 120;
    expect(await kept.get("a", theProgram)).toBeUndefined();
    expect(await kept.get("b", theProgram)).toBeDefined();
  });

  test("are forgotten, the oldest first, when they are too many bytes together", async () => {
    const kept = new RecentResponses({ maxBytes: 10_000 });
    for (const id of ["a", "b", "c"]) await kept.put(stored(id, "x".repeat(1_500)));
    expect(await there(kept, ["a", "b", "c"])).toEqual([false, true, true]);
    await kept.put(stored("d", "x".repeat(20_000)));
    expect(await there(kept, ["b", "c", "d"])).toEqual([false, false, false]);
  });

  test("stay deleted when something under way would change them", async () => {
    const kept = new RecentResponses();
    await kept.put(stored("a"));
    expect(await kept.delete("a", theProgram)).toBe(true);
    await kept.update(stored("a").response);
    expect(await kept.get("a", theProgram)).toBeUndefined();
    expect(await kept.delete("a", theProgram)).toBe(false);
  });
});
