/** `truncation: "auto"`: the oldest turns of a conversation give way to the newest. */
import type { ChatMessage } from "../../../../generation/request.ts";

/**
 * Leave out as few of the oldest turns as it takes; system text and the last turn stay.
 *
 * @param fits whether the model can take these messages
 * @returns the messages that are left; not even the fewest may fit
 */
export async function fitTurns(
  messages: readonly ChatMessage[],
  fits: (messages: readonly ChatMessage[]) => Promise<boolean>,
): Promise<readonly ChatMessage[]> {
  if (await fits(messages)) return messages;
  const turns = messages.flatMap(({ role }, index) => (role === "system" ? [] : [index]));
  const without = (numDropped: number): readonly ChatMessage[] => {
    const dropped = new Set(turns.slice(0, numDropped));
    return messages.filter((_, index) => !dropped.has(index));
  };
  // The fewest that fit lie in (low, high].
  let low = 0;
  let high = Math.max(turns.length - 1, 0);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await fits(without(middle))) high = middle;
    else low = middle;
  }
  return without(high);
}
