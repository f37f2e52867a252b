/** Who answers: a running server, or a model loaded into this process. Both look the same from here. */
import type { ContentPart } from "../generation/request.ts";
import type { SamplingFlags } from "./options.ts";

export type Turn = {
  readonly role: "system" | "user" | "assistant";
  readonly content: readonly ContentPart[];
};

/** Any number of `image` and `text`, then one `finish`. A failure is thrown. */
export type AnswerEvent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly index: number; readonly image: SeenImage }
  | {
      readonly type: "finish";
      readonly reason: "stop" | "length" | "cancelled";
      readonly numTokens: number;
    };

export type SeenImage = {
  readonly width: number;
  readonly height: number;
  readonly grid: { readonly rows: number; readonly columns: number };
  readonly cached: boolean;
  readonly cachedIn?: "memory" | "disk" | undefined;
  readonly encodeMs: number;
};

export interface AnswerSource extends AsyncDisposable {
  ask(
    turns: readonly Turn[],
    options: { readonly sampling: SamplingFlags; readonly signal: AbortSignal },
  ): AsyncIterable<AnswerEvent>;
}
