import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ChatMessage } from "../../../../generation/request.ts";
import { fitTurns } from "./fit-turns.ts";

const turn = (role: ChatMessage["role"], size: number): ChatMessage => ({
  role,
  content: [{ type: "text", text: "x".repeat(size) }],
});

const sizeOf = (messages: readonly ChatMessage[]): number =>
  messages.reduce(
    (sum, { content }) =>
      sum + content.reduce((n, part) => n + (part.type === "text" ? part.text.length : 0), 0),
    0,
  );

test("the fewest of the oldest turns are left out; system text and the last turn stay", async () => {
  const role = fc.constantFrom<ChatMessage["role"]>("system", "user", "assistant");
  const messages = fc.array(fc.tuple(role, fc.nat(20)), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(messages, fc.nat(200), async (turns, room) => {
      const all = turns.map(([who, size]) => turn(who, size));
      const kept = await fitTurns(all, async (some) => sizeOf(some) <= room);
      const dropped = all.filter((message) => !kept.includes(message));
      const droppable = all.filter((message) => message.role !== "system").slice(0, -1);
      expect(dropped).toEqual(droppable.slice(0, dropped.length));
      if (sizeOf(kept) > room) expect(dropped).toHaveLength(droppable.length);
      else if (dropped.length > 0) {
        const oneMore = all.filter((message) => !dropped.slice(0, -1).includes(message));
        expect(sizeOf(oneMore)).toBeGreaterThan(room);
      }
    }),
  );
});

test("a tool's result goes with its call", async () => {
  const call = { ...turn("assistant", 1), toolCalls: [{ id: "a", name: "f", arguments: "{}" }] };
  const result = { ...turn("tool", 9), toolCallId: "a" };
  const all = [
    turn("system", 1),
    turn("user", 5),
    call,
    result,
    turn("assistant", 2),
    turn("user", 3),
  ];
  const kept = async (room: number) => await fitTurns(all, async (some) => sizeOf(some) <= room);
  expect(await kept(16)).toEqual([all[0], ...all.slice(2)]);
  expect(await kept(15)).toEqual([all[0], ...all.slice(4)]);
  // The last turn is the call with its result where that is what was sent last.
  const ending = all.slice(0, 4);
  expect(await fitTurns(ending, async () => false)).toEqual([all[0], call, result]);
});
