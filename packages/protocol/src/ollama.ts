/** Ollama's `/api/*`: names, options and answers in its words. */
import { z } from "zod";
import { chatTools, imageOrder } from "./chat.ts";
import { requestLimits } from "./limits.ts";
import { PictureData } from "./pictures.ts";

/** Older clients say `name` where newer ones say `model`. */
const names = { model: z.string().nullish(), name: z.string().nullish() } as const;

const stopText = z.string().min(1).max(requestLimits.maxStopLength);

/** What changes an answer; what changes how a model is loaded is decided when it is launched. */
export const OllamaOptions = z.looseObject({
  /** -1 and -2: as many as the context holds. */
  num_predict: z.int().min(-2).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_k: z.int().min(-1).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  seed: z.int().nullish(),
  repeat_penalty: z.number().gt(0).max(10).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  stop: z.union([stopText, z.array(stopText).max(requestLimits.maxStops)]).nullish(),
  num_ctx: z.int().min(1).nullish(),
});
export type OllamaOptions = z.infer<typeof OllamaOptions>;

const generating = {
  ...names,
  stream: z.boolean().nullish(),
  options: OllamaOptions.nullish(),
  /** Seconds, or Go's `5m`; 0 frees the model after the answer, less than 0 keeps it. */
  keep_alive: z.union([z.number(), z.string()]).nullish(),
  /** `json`, or a JSON schema. */
  format: z.union([z.enum(["json", ""]), z.record(z.string(), z.unknown())]).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(requestLimits.maxTopLogprobs).nullish(),
  image_order: imageOrder,
} as const;

const images = z.array(PictureData).max(requestLimits.maxImages).nullish();

/** Arguments are an object here; some clients send its text. */
const OllamaToolCall = z.looseObject({
  id: z.string().max(200).nullish(),
  function: z.looseObject({
    name: z.string(),
    arguments: z.union([z.record(z.string(), z.unknown()), z.string()]).nullish(),
  }),
});

export const OllamaMessage = z.looseObject({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.string().nullish(),
  images,
  /** Of an assistant. */
  tool_calls: z.array(OllamaToolCall).max(requestLimits.maxTools).nullish(),
  /** Of a tool's result: which function's it is, or which call's. */
  tool_name: z.string().nullish(),
  tool_call_id: z.string().nullish(),
});
export type OllamaMessage = z.infer<typeof OllamaMessage>;

export const OllamaChatRequest = z.looseObject({
  ...generating,
  messages: z.array(OllamaMessage).max(requestLimits.maxMessages).nullish(),
  tools: chatTools,
});
export type OllamaChatRequest = z.infer<typeof OllamaChatRequest>;

export const OllamaGenerateRequest = z.looseObject({
  ...generating,
  prompt: z.string().nullish(),
  system: z.string().nullish(),
  images,
  raw: z.boolean().nullish(),
});
export type OllamaGenerateRequest = z.infer<typeof OllamaGenerateRequest>;

/** Body of `show`, `pull` and `delete`. */
export const OllamaNameRequest = z.looseObject({ ...names, stream: z.boolean().nullish() });

export const OllamaCopyRequest = z.looseObject({
  source: z.string().min(1),
  destination: z
    .string()
    .min(1)
    .max(requestLimits.maxModelUidLength)
    .regex(/^[^/?#\s\p{Cc}]+$/u),
});

type OllamaLogprob = {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
};

export type OllamaLogprobs = readonly (OllamaLogprob & {
  readonly top_logprobs: readonly OllamaLogprob[];
})[];

export type OllamaDetails = {
  readonly parent_model: "";
  readonly format: "safetensors";
  readonly family: "mllama";
  readonly families: readonly ["mllama"];
  /** Such as `10.7B`; empty when it is not known. */
  readonly parameter_size: string;
  /** Such as `BF16`; empty when it is not known. */
  readonly quantization_level: string;
};

/** A row of `tags`; with the last three, of `ps`. */
export type OllamaModel = {
  readonly name: string;
  readonly model: string;
  readonly modified_at: string;
  /** Bytes of its files. */
  readonly size: number;
  readonly digest: string;
  readonly details: OllamaDetails;
  readonly expires_at?: string;
  readonly size_vram?: number;
  readonly context_length?: number;
};
