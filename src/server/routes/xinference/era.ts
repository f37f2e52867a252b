/**
 * Where Xinference 0.16 and 3 contradict each other in a stream: the last delta has an empty text in 3, and
 * none in 0.16. Calls stay in it in both.
 *
 * @see Xinference 0.16.3 `model/llm/utils.py`, `_to_chat_completion_chunk`
 */

/** @yields chunks of a chat, the last delta as in 0.16 */
export async function* withEmptyLastDelta(
  chunks: AsyncIterable<object>,
): AsyncGenerator<object, void> {
  for await (const chunk of chunks) {
    yield "choices" in chunk && Array.isArray(chunk.choices)
      ? { ...chunk, choices: chunk.choices.map(emptied) }
      : chunk;
  }
}

function emptied(choice: unknown): unknown {
  const isLast =
    typeof choice === "object" &&
    choice !== null &&
    "delta" in choice &&
    "finish_reason" in choice &&
    choice.finish_reason !== null;
  if (!isLast) return choice;
  const { content: _, ...others } = choice.delta as { readonly content?: string };
  return { ...choice, delta: others };
}
