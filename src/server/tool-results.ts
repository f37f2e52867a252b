/** What functions returned, where a result may hold pictures → turns that the model can look at. Pure. */
import type { ChatMessage } from "../generation/request.ts";

type Result = Pick<ChatMessage, "content" | "field"> & { readonly toolCallId?: string | undefined };

/**
 * The model looks at pictures of the user's turns alone, so those of results come in one behind them.
 *
 * @returns a `tool` turn for each result, and a `user` turn of their pictures when there are any
 */
export function resultTurns(results: readonly Result[]): ChatMessage[] {
  const pictures = results.flatMap(({ content }) => content.filter(({ type }) => type === "image"));
  const turns = results.map(({ content, toolCallId, field }): ChatMessage => {
    const texts = content.filter(({ type }) => type === "text");
    return {
      role: "tool",
      content: texts.length > 0 ? texts : [{ type: "text", text: "" }],
      ...(toolCallId !== undefined && { toolCallId }),
      ...(field !== undefined && { field }),
    };
  });
  return pictures.length === 0 ? turns : [...turns, { role: "user", content: pictures }];
}
