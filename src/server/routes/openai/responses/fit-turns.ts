/** `truncation: "auto"`: the oldest turns of a conversation give way to the newest. */
import type { ChatMessage } from "../../../../generation/request.ts";

/**
 * Leave out as few of the oldest turns as it takes; system text and the last turn stay, and a tool's result
 * stays or goes with its call.
 *
 * @param fits whether the model can take these messages
 * @returns the messages that are left; not even the fewest may fit
 */
export async function fitTurns(
  messages: readonly ChatMessage[],
  fits: (messages: readonly ChatMessage[]) => Promise<boolean>,
): Promise<readonly ChatMessage[]> {
  if (await fits(messages)) return messages;
  const units = unitsOf(messages);
  const without = (numDropped: number): readonly ChatMessage[] => {
    const dropped = new Set(units.slice(0, numDropped).flat());
    return messages.filter((_, index) => !dropped.has(index));
  };
  // The fewest that fit lie in (low, high].
  let low = 0;
  let high = Math.max(units.length - 1, 0);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await fits(without(middle))) high = middle;
    else low = middle;
  }
  return without(high);
}

/** Turns that go together, by their places: each with the results behind it. */
function unitsOf(messages: readonly ChatMessage[]): number[][] {
  const units: number[][] = [];
  for (const [index, { role }] of messages.entries()) {
    if (role === "system") continue;
    const last = units.at(-1);
    if (role === "tool" && last !== undefined) last.push(index);
    else units.push([index]);
  }
  return units;
}
