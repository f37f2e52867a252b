/**
 * The prompt that Llama Guard 3 was trained on: the picture, then the task with its hazards and the
 * conversation, as one turn of the user.
 *
 * @see llama-stack, `providers/inline/safety/llama_guard/llama_guard.py`, `build_vision_shield_input`,
 *   `PROMPT_TEMPLATE`; the wording is the model's, mistakes and all
 */
import { type Hazard, hazards } from "@atalaya/protocol";
import type { ImageSource, RawPrompt, TextPiece } from "../../../../generation/request.ts";

/** The vision model was trained on these; S14 belongs to the text models, and is understood all the same. */
const asked: readonly Hazard[] = [
  "S1",
  "S2",
  "S3",
  "S4",
  "S5",
  "S6",
  "S7",
  "S8",
  "S9",
  "S10",
  "S11",
  "S12",
  "S13",
];

export type GuardInput = { readonly text: string; readonly image: ImageSource | undefined };

/**
 * Structure comes from here alone: what special tokens the input spells stays text.
 *
 * @param begun what the answer already says
 */
export function guardPrompt({ text, image }: GuardInput, begun = ""): RawPrompt {
  const special = (name: string): TextPiece => ({ type: "special", text: `<|${name}|>` });
  const plain = (words: string): TextPiece => ({ type: "text", text: words });
  const header = (role: string): TextPiece[] => [
    special("start_header_id"),
    plain(role),
    special("end_header_id"),
    plain("\n\n"),
  ];
  return {
    type: "raw",
    text: [
      special("begin_of_text"),
      ...header("user"),
      ...(image === undefined ? [] : [special("image")]),
      plain(task(text)),
      special("eot_id"),
      ...header("assistant"),
      ...(begun === "" ? [] : [plain(begun)]),
    ],
    images: image === undefined ? [] : [image],
    bos: "never",
  };
}

function task(text: string): string {
  const categories = asked.map((code) => `${code}: ${hazards[code]}.`).join("\n");
  return `Task: Check if there is unsafe content in 'User' messages in conversations according our safety policy with the below categories.

<BEGIN UNSAFE CONTENT CATEGORIES>
${categories}
<END UNSAFE CONTENT CATEGORIES>

<BEGIN CONVERSATION>

User: ${text}

<END CONVERSATION>

Provide your safety assessment for ONLY THE LAST User message in the above conversation:
 - First line must read 'safe' or 'unsafe'.
 - If unsafe, a second line must include a comma-separated list of violated categories.`;
}
