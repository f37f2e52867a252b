/** Who answers: a running server, or a model loaded into this process. Both look the same from here. */
import type { ChatMessage } from "../generation/request.ts";
import type { ToolCall } from "../generation/tools.ts";
import type { SamplingFlags } from "./options.ts";
import type { OfferedTools } from "./tools-file.ts";

export type Turn = ChatMessage;

export type AskSettings = {
  readonly sampling: SamplingFlags;
  /** Functions that the answer may call; none when absent. */
  readonly offered?: OfferedTools | undefined;
  readonly signal: AbortSignal;
};

/** Any number of `image` and `text`, then one `finish`. A failure is thrown. */
export type AnswerEvent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly index: number; readonly image: SeenImage }
  | {
      readonly type: "finish";
      readonly reason: "stop" | "length" | "cancelled";
      readonly numTokens: number;
      /** At least one, when the answer was calls. */
      readonly toolCalls?: readonly ToolCall[];
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
  ask(turns: readonly Turn[], options: AskSettings): AsyncIterable<AnswerEvent>;
}
