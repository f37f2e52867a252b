/** Answers from a running server. */
import type { AtalayaClient } from "@atalaya/client";
import type { ChatCompletionRequest, ImageReceipt } from "@atalaya/protocol";
import type { ContentPart } from "../generation/request.ts";
import type { AnswerEvent, AnswerSource, Turn } from "./answer-source.ts";
import type { SamplingFlags } from "./options.ts";

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
  { sampling, signal }: { readonly sampling: SamplingFlags; readonly signal: AbortSignal },
): AsyncGenerator<AnswerEvent, void> {
  const body: ChatCompletionRequest = {
    model,
    messages: turns.map(({ role, content }) => ({ role, content: content.map(toPart) })),
    stream_options: { include_usage: true },
    ...toWireSampling(sampling),
  };
  let reason: "stop" | "length" = "stop";
  for await (const chunk of client.streamChat(body, { signal })) {
    for (const event of toImages(chunk.atalaya?.images ?? [])) yield event;
    const [choice] = chunk.choices;
    if (choice !== undefined) {
      if (choice.delta.content !== "") yield { type: "text", text: choice.delta.content };
      // No function was offered, so none is called.
      reason = choice.finish_reason === "length" ? "length" : reason;
    }
    if (chunk.usage != null) {
      yield { type: "finish", reason, numTokens: chunk.usage.completion_tokens };
    }
  }
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
