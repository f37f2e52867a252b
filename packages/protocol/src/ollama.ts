/** Ollama's `/api/*`: names, options and answers in its words. */
import { z } from "zod";
import { chatTools, imageOrder } from "./chat.ts";
import { requestLimits } from "./limits.ts";
import { PictureData } from "./pictures.ts";

/** Older clients say `name` where newer ones say `model`. */
const names = {
  model: z.string().nullish().describe("Name of the model, with or without `:latest`."),
  name: z.string().nullish().describe("The same, as older clients say it."),
} as const;

const stopText = z.string().min(1).max(requestLimits.maxStopLength);

/** What changes an answer; what changes how a model is loaded is decided when it is launched. */
export const OllamaOptions = z.looseObject({
  num_predict: z
    .int()
    .min(-2)
    .nullish()
    .describe(
      "Tokens of the answer at most; -1 and -2: as many as the context holds, also when left out.",
    ),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .describe("0 is greedy, more is more varied. The checkpoint's own when left out."),
  top_k: z
    .int()
    .min(-1)
    .nullish()
    .describe(
      "Keeps so many of the likeliest tokens; 0 and -1 keep all. The checkpoint's own when left out.",
    ),
  top_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe(
      "Keeps the likeliest tokens whose probabilities reach this sum. The checkpoint's own when left out.",
    ),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe("Drops tokens less likely than this share of the likeliest. Off when left out."),
  seed: z.int().nullish().describe("Makes the answer repeatable. Drawn when left out."),
  repeat_penalty: z
    .number()
    .gt(0)
    .max(10)
    .nullish()
    .describe(
      "Divides the logits of tokens in prompt or answer; 1 is off. The checkpoint's own when left out.",
    ),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe(
      "Subtracted once from the logit of a token that was generated before. 0 when left out.",
    ),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe("Subtracted per earlier occurrence in the answer. 0 when left out."),
  stop: z
    .union([stopText, z.array(stopText).max(requestLimits.maxStops)])
    .nullish()
    .describe(
      "A text, or up to 4, of 256 characters each, that ends the answer. None when left out.",
    ),
  num_ctx: z
    .int()
    .min(1)
    .nullish()
    .describe("Tokens that the context must hold. Refused when the model was launched with fewer."),
});
export type OllamaOptions = z.infer<typeof OllamaOptions>;

const generating = {
  ...names,
  stream: z
    .boolean()
    .nullish()
    .describe("Whether the answer comes a line at a time. `true` when left out."),
  options: OllamaOptions.nullish().describe(
    "Settings of the answer. Options of loading are taken, and listed as ignored.",
  ),
  keep_alive: z
    .union([z.number(), z.string()])
    .nullish()
    .describe(
      "How long the model stays loaded: seconds, or such as `5m`; 0 frees it after the answer, less than 0 keeps it. As the server was told when left out.",
    ),
  format: z
    .union([z.enum(["json", ""]), z.record(z.string(), z.unknown())])
    .nullish()
    .describe("`json`, or a JSON schema that the answer is held to. Free text when left out."),
  logprobs: z
    .boolean()
    .nullish()
    .describe("Whether each token's log-probability is told. `false` when left out."),
  top_logprobs: z
    .int()
    .min(0)
    .max(requestLimits.maxTopLogprobs)
    .nullish()
    .describe("How many alternatives are told with each token; needs `logprobs`. 0 when left out."),
  image_order: imageOrder,
} as const;

const images = z.array(PictureData).max(requestLimits.maxImages).nullish();

/** Arguments are an object here; some clients send its text. */
const OllamaToolCall = z.looseObject({
  id: z.string().max(200).nullish().describe("Id of the call."),
  function: z
    .looseObject({
      name: z.string().describe("Name of the function."),
      arguments: z
        .union([z.record(z.string(), z.unknown()), z.string()])
        .nullish()
        .describe("Its arguments by name; some clients send the text of the object."),
    })
    .describe("What was called, and with what."),
});

export const OllamaMessage = z.looseObject({
  role: z.enum(["system", "user", "assistant", "tool"]).describe("Whose message it is."),
  content: z.string().nullish().describe("The text. Empty when left out."),
  images: images.describe(
    "Pictures of this message, up to 8 in a request, as base64, `data:` URLs, addresses or bytes.",
  ),
  tool_calls: z
    .array(OllamaToolCall)
    .max(requestLimits.maxTools)
    .nullish()
    .describe("Calls of an assistant, at most 128."),
  tool_name: z.string().nullish().describe("Of a tool's result: which function's it is."),
  tool_call_id: z.string().nullish().describe("Of a tool's result: which call's it is."),
});
export type OllamaMessage = z.infer<typeof OllamaMessage>;

export const OllamaChatRequest = z.looseObject({
  ...generating,
  messages: z
    .array(OllamaMessage)
    .max(requestLimits.maxMessages)
    .nullish()
    .describe(
      "The conversation, at most 1,024 messages. Without any, the model is loaded, or freed.",
    ),
  tools: chatTools.describe("Functions that the answer may call, at most 128. None when left out."),
});
export type OllamaChatRequest = z.infer<typeof OllamaChatRequest>;

export const OllamaGenerateRequest = z.looseObject({
  ...generating,
  prompt: z
    .string()
    .nullish()
    .describe("What the user says. Without any, the model is loaded, or freed."),
  system: z.string().nullish().describe("System text. None when left out."),
  images: images.describe("Pictures, up to 8, as base64, `data:` URLs, addresses or bytes."),
  raw: z
    .boolean()
    .nullish()
    .describe(
      "Whether the prompt goes to the model as it is, without the chat template. `false` when left out.",
    ),
});
export type OllamaGenerateRequest = z.infer<typeof OllamaGenerateRequest>;

/** Body of `show`, `pull` and `delete`. */
export const OllamaNameRequest = z.looseObject({
  ...names,
  stream: z
    .boolean()
    .nullish()
    .describe("Whether the answer comes a line at a time, of `pull`. `true` when left out."),
});

export const OllamaCopyRequest = z.looseObject({
  source: z.string().min(1).describe("Name of the model."),
  destination: z
    .string()
    .min(1)
    .max(requestLimits.maxModelUidLength)
    .regex(/^[^/?#\s\p{Cc}]+$/u)
    .describe("One more name for it, without `/`, `?`, `#` and spaces."),
});

type OllamaLogprob = {
  /** The token as text; half a character is shown as U+FFFD. */
  readonly token: string;
  /** Natural logarithm of its probability; at least -9999. */
  readonly logprob: number;
  /** The token's own bytes: it may be half a character. */
  readonly bytes: readonly number[];
};

export type OllamaLogprobs = readonly (OllamaLogprob & {
  /** The likeliest tokens in this place, as many as were asked for. */
  readonly top_logprobs: readonly OllamaLogprob[];
})[];

export type OllamaDetails = {
  /** Always empty. */
  readonly parent_model: "";
  /** Always `safetensors`. */
  readonly format: "safetensors";
  /** Always `mllama`. */
  readonly family: "mllama";
  /** Always `mllama` alone. */
  readonly families: readonly ["mllama"];
  /** Such as `10.7B`; empty when it is not known. */
  readonly parameter_size: string;
  /** Such as `BF16`; empty when it is not known. */
  readonly quantization_level: string;
};

/** A row of `tags`; with the last three, of `ps`. */
export type OllamaModel = {
  /** The name that it answers to. */
  readonly name: string;
  /** The same once more. */
  readonly model: string;
  /** When its files last changed, ISO 8601. */
  readonly modified_at: string;
  /** Bytes of its files. */
  readonly size: number;
  /** Tells checkpoints apart by the names, sizes and times of their files; no hash of the weights. */
  readonly digest: string;
  /** What kind of model it is. */
  readonly details: OllamaDetails;
  /** When it is freed, ISO 8601; of `ps`. */
  readonly expires_at?: string;
  /** Bytes on graphics cards; of `ps`. */
  readonly size_vram?: number;
  /** Tokens of prompt and answer together; of `ps`. */
  readonly context_length?: number;
};
