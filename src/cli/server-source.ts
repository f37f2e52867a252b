/** Answers from a running server. */
import type { AtalayaClient } from "@atalaya/client";
import type { ChatCompletionRequest, ChatMessage, ImageReceipt } from "@atalaya/protocol";
import type { ContentPart } from "../generation/request.ts";
import type { ToolCall } from "../generation/tools.ts";
import type { AnswerEvent, AnswerSource, AskSettings, Turn } from "./answer-source.ts";
import type { SamplingFlags } from "./options.ts";
import type { OfferedTools } from "./tools-file.ts";

export function serverSource(client: AtalayaClient, model: string): AnswerSource {
  return {
    ask: (turns, options) => askServer(client, model, turns, options),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function* askServer(
  client: AtalayaClient,
  model: string,
  turns: readonly Turn[],
  { sampling, offered, signal }: AskSettings,
): AsyncGenerator<AnswerEvent, void> {
  const body: ChatCompletionRequest = {
    model,
    messages: turns.map(toMessage),
    ...toWireTools(offered),
    stream_options: { include_usage: true },
    ...toWireSampling(sampling),
  };
  let reason: "stop" | "length" = "stop";
  let toolCalls: readonly ToolCall[] = [];
  for await (const chunk of client.streamChat(body, { signal })) {
    for (const event of toImages(chunk.atalaya?.images ?? [])) yield event;
    const [choice] = chunk.choices;
    if (choice !== undefined) {
      if (choice.delta.content !== "") yield { type: "text", text: choice.delta.content };
      toolCalls = (choice.delta.tool_calls ?? []).map(({ id, function: called }) => ({
        id,
        ...called,
      }));
      reason = choice.finish_reason === "length" ? "length" : reason;
    }
    if (chunk.usage != null) {
      const numTokens = chunk.usage.completion_tokens;
      yield { type: "finish", reason, numTokens, ...(toolCalls.length > 0 && { toolCalls }) };
    }
  }
}

function toMessage({ role, content, toolCalls, toolCallId }: Turn): ChatMessage {
  return {
    role,
    content: content.map(toPart),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(toolCalls !== undefined && {
      tool_calls: toolCalls.map(({ id, name, arguments: args }) => ({
        id,
        type: "function",
        function: { name, arguments: args },
      })),
    }),
  };
}

function toWireTools(
  offered: OfferedTools | undefined,
): Pick<ChatCompletionRequest, "tools" | "tool_choice"> {
  if (offered === undefined) return {};
  const { tools, choice } = offered;
  return {
    tools: tools.map(({ parameters, ...tool }) => ({
      type: "function",
      function: { ...tool, ...(parameters !== undefined && { parameters: { ...parameters } }) },
    })),
    tool_choice: typeof choice === "string" ? choice : { type: "function", function: choice },
  };
}

function toWireSampling(flags: SamplingFlags): Partial<ChatCompletionRequest> {
  return {
    stream: true,
    max_tokens: flags.maxTokens,
    temperature: flags.temperature,
    top_p: flags.topP,
    top_k: flags.topK,
    min_p: flags.minP,
    presence_penalty: flags.presencePenalty,
    frequency_penalty: flags.frequencyPenalty,
    repetition_penalty: flags.repetitionPenalty,
    seed: flags.seed,
    stop: flags.stop === undefined ? undefined : [...flags.stop],
  };
}

function toPart(part: ContentPart) {
  if (part.type === "text") return { type: "text" as const, text: part.text };
  if ("url" in part.image) return { type: "image_url" as const, image_url: part.image };
  if ("fileId" in part.image) {
    return { type: "file" as const, file: { file_id: part.image.fileId } };
  }
  // The label is not read: the server goes by the bytes.
  const url = `data:image/png;base64,${Buffer.from(part.image.bytes).toString("base64")}`;
  return { type: "image_url" as const, image_url: { url } };
}

function toImages(images: readonly ImageReceipt[]): AnswerEvent[] {
  return images.flatMap((image, index): AnswerEvent[] => {
    if (!image.seen) return [];
    const { width, height, grid, cached, cached_in: cachedIn, encode_ms: encodeMs } = image;
    return [{ type: "image", index, image: { width, height, grid, cached, cachedIn, encodeMs } }];
  });
}
