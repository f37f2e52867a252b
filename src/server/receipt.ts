/** What an answer tells about the prompt it is an answer to: as an object in it, and as headers. */
import type { AnswerReceipt, ImageReceipt } from "@atalaya/protocol";
import type { FastifyReply } from "fastify";
import type { ModelProfile } from "../engines/engine.ts";
import type { ImageReport } from "../generation/engine-prompt.ts";
import type { GenerateEvent, PromptChange } from "../generation/event.ts";
import { ignoredFieldsHeader } from "./known-fields.ts";

/** Grows with the events of one answer. */
export class Receipt {
  readonly #profile: ModelProfile;
  readonly #ignoredFields: readonly string[];
  #changes: readonly PromptChange[] = [];
  #images: ImageReceipt[] = [];

  constructor(about: {
    readonly profile: ModelProfile;
    /** Fields of the request that nothing read. */
    readonly ignoredFields: readonly string[];
  }) {
    this.#profile = about.profile;
    this.#ignoredFields = about.ignoredFields;
  }

  note(event: GenerateEvent): void {
    if (event.type === "started") {
      this.#changes = event.changes;
      this.#images = event.seenByLastTurn.map((inView) => ({
        seen: false,
        seen_by_last_turn: inView,
      }));
    } else if (event.type === "image") {
      this.#noteImage(event.report);
    }
  }

  toWire(): AnswerReceipt {
    return {
      images: [...this.#images],
      profile: this.#profile,
      prompt_changes: this.#changes,
      ignored_fields: this.#ignoredFields,
    };
  }

  /** What is known before the first token, for readers who never see the end of a stream. */
  toHeaders(): Readonly<Record<string, string>> {
    const ignored = ignoredFieldsHeader(this.#ignoredFields);
    const numInView = this.#images.filter(({ seen_by_last_turn: inView }) => inView).length;
    return {
      ...(ignored === "" ? {} : { "x-ignored-fields": ignored }),
      "x-atalaya-profile": this.#profile,
      ...(this.#changes.length === 0
        ? {}
        : { "x-atalaya-prompt-changes": this.#changes.join(", ") }),
      ...(this.#images.length === 0
        ? {}
        : { "x-atalaya-pictures-in-view": `${numInView} of ${this.#images.length}` }),
    };
  }

  #noteImage(report: ImageReport): void {
    const { width, height, grid, resized, cached, cachedIn, encodeMs, imageIndex } = report;
    this.#images[imageIndex] = {
      seen: true,
      seen_by_last_turn: this.#images[imageIndex]?.seen_by_last_turn ?? false,
      width,
      height,
      grid,
      resized,
      aspect_ratio_id: report.aspectRatioId,
      cached,
      ...(cachedIn !== undefined && { cached_in: cachedIn }),
      encode_ms: Math.round(encodeMs * 10) / 10,
    };
  }
}

/** Pass events on, keep the receipt, and set its headers while the reply's head is still unsent. */
export async function* withReceipt(
  events: AsyncIterable<GenerateEvent>,
  receipt: Receipt,
  reply: FastifyReply,
): AsyncGenerator<GenerateEvent, void> {
  for await (const event of events) {
    receipt.note(event);
    if (event.type === "started" && !reply.sent) reply.headers(receipt.toHeaders());
    yield event;
  }
}
