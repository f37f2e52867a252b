/** What both OpenAI dialects say the same way: usage, receipt, finish reason; and an answer as a whole. */
import type {
  AnswerReceipt,
  ImageReceipt,
  WireFinishReason,
  Usage as WireUsage,
} from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type { ImageReport } from "../../../generation/engine-prompt.ts";
import type {
  FinishReason,
  GeneratedToken,
  GenerateEvent,
  Usage,
} from "../../../generation/event.ts";
import type { GenerateRequest } from "../../../generation/request.ts";

/** What stays the same over all chunks of one answer. */
export type AnswerHead = {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
};

export type Answer = {
  readonly text: string;
  readonly tokens: readonly GeneratedToken[];
  readonly finishReason: WireFinishReason;
  readonly usage: WireUsage;
  readonly receipt: AnswerReceipt;
};

/** Read a stream of events to its end. */
export async function collectAnswer(
  events: AsyncIterable<GenerateEvent>,
  request: GenerateRequest,
): Promise<Answer> {
  const receipt = new Receipt(request);
  const tokens: GeneratedToken[] = [];
  let text = "";
  for await (const event of events) {
    switch (event.type) {
      case "started":
        break;
      case "image":
        receipt.note(event.report);
        break;
      case "text-delta":
        text += event.text;
        tokens.push(...event.tokens);
        break;
      case "finish":
        return {
          text,
          tokens,
          finishReason: toFinishReason(event.reason),
          usage: toUsage(event.usage),
          receipt: receipt.toWire(),
        };
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

/** Collects what became of each picture of a request. */
export class Receipt {
  readonly #images: ImageReceipt[];

  constructor({ prompt }: GenerateRequest) {
    const numImages =
      prompt.type === "raw"
        ? prompt.images.length
        : prompt.messages.flatMap(({ content }) => content).filter(({ type }) => type === "image")
            .length;
    this.#images = Array.from({ length: numImages }, () => ({ seen: false }));
  }

  note(report: ImageReport): void {
    const { width, height, grid, resized, cached, encodeMs } = report;
    this.#images[report.imageIndex] = {
      seen: true,
      width,
      height,
      grid,
      resized,
      aspect_ratio_id: report.aspectRatioId,
      cached,
      encode_ms: Math.round(encodeMs * 10) / 10,
    };
  }

  toWire(): AnswerReceipt {
    return { images: [...this.#images] };
  }
}

export function toUsage({ promptTokens, completionTokens, imageTokens }: Usage): WireUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, image_tokens: imageTokens },
  };
}

/** @throws PlatformError `cancelled`: a cut answer must not look like a whole one */
export function toFinishReason(reason: FinishReason): WireFinishReason {
  if (reason === "cancelled") {
    throw new PlatformError("cancelled", "The answer was cancelled before it was complete.");
  }
  return reason;
}

/** JSON has no infinities; OpenAI writes this for "never". */
const neverLogprob = -9999;

export function toLogprob(logprob: number | undefined): number {
  return logprob === undefined ? neverLogprob : Math.max(logprob, neverLogprob);
}

/** A token as text; bytes that are only part of a character show as �. */
export function tokenText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
