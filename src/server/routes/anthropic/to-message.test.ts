import { expect, test } from "vitest";
import { toMessage } from "./to-message.ts";

const head = { id: "msg_1", model: "m", maxTokens: 100 };
const answer = {
  choices: [],
  text: "A red circle.",
  tokens: [],
  prompt: [],
  promptIndex: 0,
  finishReason: "length",
  stopString: undefined,
  usage: { promptTokens: 5, completionTokens: 100, imageTokens: 17 },
  receipt: { images: [], profile: "ref", prompt_changes: [], ignored_fields: [] },
} as const;

test.each([
  { why: "as much as was allowed", change: {}, reason: "max_tokens", sequence: null },
  {
    why: "less, because the context was full",
    change: { usage: { ...answer.usage, completionTokens: 99 } },
    reason: "model_context_window_exceeded",
    sequence: null,
  },
  { why: "by itself", change: { finishReason: "stop" }, reason: "end_turn", sequence: null },
  {
    why: "at a stop string",
    change: { finishReason: "stop", stopString: "##" },
    reason: "stop_sequence",
    sequence: "##",
  },
] as const)("an answer that ends $why says $reason", ({ change, reason, sequence }) => {
  expect(toMessage({ ...answer, ...change }, head)).toMatchObject({
    stop_reason: reason,
    stop_sequence: sequence,
    usage: { input_tokens: 5 },
  });
});
