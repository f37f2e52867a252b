import { describe, expect, test } from "vitest";
import { RecentResponses, type StoredResponse } from "./stored-responses.ts";
import { openResponse } from "./to-response.ts";

const stored = (id: string, text = "hello"): StoredResponse => ({
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

describe("responses kept in memory", () => {
  test("are found by their id, and their items by theirs", () => {
    const kept = new RecentResponses();
    kept.put(stored("a"));
    expect(kept.get("a")?.response.id).toBe("a");
    expect(kept.findItem("in_a")).toMatchObject({ text: "hello" });
    expect(kept.get("b")).toBeUndefined();
    expect(kept.findItem("in_b")).toBeUndefined();
  });

  test("are forgotten when they are too old", () => {
    let now = 0;
    const kept = new RecentResponses({ maxAgeMs: 100, now: () => now });
    kept.put(stored("a"));
    now = 60;
    kept.put(stored("b"));
    now = 120;
    expect(kept.get("a")).toBeUndefined();
    expect(kept.get("b")).toBeDefined();
  });

  test("are forgotten, the oldest first, when they are too many bytes together", () => {
    const kept = new RecentResponses({ maxBytes: 10_000 });
    for (const id of ["a", "b", "c"]) kept.put(stored(id, "x".repeat(1_500)));
    expect(["a", "b", "c"].map((id) => kept.get(id) !== undefined)).toEqual([false, true, true]);
    kept.put(stored("d", "x".repeat(20_000)));
    expect(["b", "c", "d"].map((id) => kept.get(id) !== undefined)).toEqual([false, false, false]);
  });

  test("stay deleted when something under way would change them", () => {
    const kept = new RecentResponses();
    kept.put(stored("a"));
    expect(kept.delete("a")).toBe(true);
    kept.update(stored("a").response);
    expect(kept.get("a")).toBeUndefined();
    expect(kept.delete("a")).toBe(false);
  });
});
