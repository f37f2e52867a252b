/**
 * The npm API: a model in this process, without a server.
 *
 * ```ts
 * import { load } from "atalaya";
 *
 * await using model = await load("demo");
 * const { text } = await model.ask("What do you see?", { images: ["photo.png"] });
 * ```
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createLogger, type LogLevel } from "./base/logger.ts";
import { readSettings } from "./config/settings.ts";
import type { ImageReport } from "./generation/engine-prompt.ts";
import type { GenerateEvent, Usage } from "./generation/event.ts";
import type { ChatMessage, ImageSource, SamplingParams } from "./generation/request.ts";
import {
  offerTools,
  type ToolCall,
  type ToolDescription,
  type ToolWish,
} from "./generation/tools.ts";
import { type LaunchEvent, launchAndWait, Platform } from "./platform.ts";

export { PlatformError } from "./base/errors.ts";
export type { ChatMessage } from "./generation/request.ts";
export type { ToolCall, ToolDescription, ToolWish } from "./generation/tools.ts";
export type { LaunchEvent } from "./platform.ts";

export type LoadOptions = {
  /** The best that runs here when absent. */
  readonly engine?: string;
  /** `none`, or what the engine can make of the weights. */
  readonly quantization?: string;
  /** Meta's semantics (`ref`, the default), or Transformers' as installed. */
  readonly profile?: "ref" | "hf";
  /** Tokens of prompt and answer together, at most. */
  readonly maxModelLen?: number;
  /** Answers at the same time, at most. */
  readonly maxNumSeqs?: number;
  /** What keys and values are kept in; `f32` if the weights are, else `f16`, when absent. */
  readonly kvCacheDtype?: "f32" | "f16" | "q8_0";
  readonly numThreads?: number;
  /** Whether files that are not here are downloaded; they are when absent. */
  readonly download?: boolean;
  /** What happens until the model answers. */
  readonly onProgress?: (event: LaunchEvent) => void;
  /** Aborting it ends the loading. */
  readonly signal?: AbortSignal;
  /** To stderr; `silent` when absent. */
  readonly logLevel?: LogLevel;
};

/** A path, an address (`file:`, `http:`, `https:`), or the bytes of a PNG, JPEG, WebP or GIF file. */
export type ImageInput = string | URL | Uint8Array;

export type AskOptions = Partial<SamplingParams> & {
  /** Shown to the model in front of the question. */
  readonly images?: readonly ImageInput[];
  /** Instructions that stand before the conversation. */
  readonly system?: string;
  /** Turns that came before. */
  readonly history?: readonly ChatMessage[];
  /** Functions that the answer may call; your program runs them. */
  readonly tools?: readonly ToolDescription[];
  /** Whether it must: `auto` when absent. */
  readonly toolChoice?: ToolWish;
  /** Aborting it stops the work. */
  readonly signal?: AbortSignal;
};

export type Answer = {
  readonly text: string;
  /** `tool_calls` when the answer was calls. */
  readonly finishReason: "stop" | "length" | "tool_calls";
  /** Functions that the model asks for, in order; empty when it said something. */
  readonly toolCalls: readonly ToolCall[];
  readonly usage: Usage;
  /** How each picture was seen. */
  readonly images: readonly ImageReport[];
};

/** A loaded model. Disposing it frees it and ends its process. */
export interface Model extends AsyncDisposable {
  readonly name: string;
  /** Tokens of prompt and answer together, at most. */
  readonly contextLength: number;
  /**
   * Ask one question, and wait for the whole answer. An empty question goes on from the end of `history`, such as
   * the results of functions.
   *
   * @throws PlatformError `invalid_request`, `invalid_image`, `context_length_exceeded`, …
   */
  ask(question: string, options?: AskOptions): Promise<Answer>;
  /** Ask, and get the events of the answer as they come. Leaving the loop stops the work. */
  stream(question: string, options?: AskOptions): AsyncGenerator<GenerateEvent, void>;
}

/**
 * Load a model into this process; its engine runs in one of its own.
 *
 * @param model `demo`, a checkpoint directory, or a name of the registry, which is downloaded when it is not here
 * @throws PlatformError whatever is wrong with the model; nothing is left running then
 */
export async function load(model: string, options: LoadOptions = {}): Promise<Model> {
  const { logLevel = "silent", signal = new AbortController().signal } = options;
  const platform = new Platform({
    log: createLogger(logLevel),
    settings: readSettings({}, process.env),
  });
  try {
    const instance = await launchAndWait(
      platform.supervisor,
      {
        model,
        uid: undefined,
        engine: options.engine,
        quantization: options.quantization,
        profile: options.profile ?? "ref",
        maxModelLen: options.maxModelLen,
        maxNumSeqs: options.maxNumSeqs,
        kvCacheDtype: options.kvCacheDtype,
        numThreads: options.numThreads,
        download: options.download,
        origin: "command",
      },
      { signal, ...(options.onProgress !== undefined && { onEvent: options.onProgress }) },
    );
    return new LoadedModel(platform, instance.uid, instance.modelName);
  } catch (error) {
    await platform[Symbol.asyncDispose]();
    throw error;
  }
}

class LoadedModel implements Model {
  readonly name: string;
  readonly #platform: Platform;
  readonly #uid: string;

  constructor(platform: Platform, uid: string, name: string) {
    this.#platform = platform;
    this.#uid = uid;
    this.name = name;
  }

  get contextLength(): number {
    return this.#platform.router.about(this.#uid).contextLength;
  }

  async ask(question: string, options: AskOptions = {}): Promise<Answer> {
    let text = "";
    const images: ImageReport[] = [];
    for await (const event of this.stream(question, options)) {
      if (event.type === "text-delta") text += event.text;
      else if (event.type === "image") images.push(event.report);
      else if (event.type === "finish") {
        options.signal?.throwIfAborted();
        const { toolCalls = [], usage } = event;
        const ended = event.reason === "length" ? "length" : "stop";
        const finishReason = toolCalls.length > 0 ? "tool_calls" : ended;
        return { text, finishReason, toolCalls, usage, images };
      }
    }
    throw new Error("the answer ended without saying why");
  }

  async *stream(question: string, options: AskOptions = {}): AsyncGenerator<GenerateEvent, void> {
    const { images = [], system, history = [], signal, tools, toolChoice, ...sampling } = options;
    const pictures = await Promise.all(images.map(toImageSource));
    const turn = (role: ChatMessage["role"], text: string): ChatMessage => ({
      role,
      content: [{ type: "text", text }],
    });
    const { content } = turn("user", question);
    const messages: ChatMessage[] = [
      ...(system === undefined ? [] : [turn("system", system)]),
      ...history,
      ...(question === "" && pictures.length === 0
        ? []
        : [
            {
              role: "user" as const,
              content: [
                ...pictures.map((image) => ({ type: "image" as const, image })),
                ...content,
              ],
            },
          ]),
    ];
    const { router } = this.#platform;
    yield* router.generate(
      this.#uid,
      {
        prompt: { type: "chat", messages, tools: offerTools(tools ?? [], toolChoice) },
        sampling: { ...neutralSampling, ...router.defaultsOf(this.#uid), ...sampling },
      },
      { signal: signal ?? new AbortController().signal },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#platform[Symbol.asyncDispose]();
  }
}

/** What is neither asked for nor advised by the model's makers. */
const neutralSampling = {
  maxTokens: undefined,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: undefined,
  stop: [],
  logprobs: undefined,
} satisfies Partial<SamplingParams>;

/** Files are read here, by the person whose program this is; addresses are fetched where all are. */
async function toImageSource(image: ImageInput): Promise<ImageSource> {
  if (image instanceof Uint8Array) return { bytes: image };
  if (/^https?:/i.test(String(image))) return { url: String(image) };
  if (/^data:/i.test(String(image))) {
    const response = await fetch(String(image));
    return { bytes: new Uint8Array(await response.arrayBuffer()) };
  }
  const isFileUrl = image instanceof URL || /^file:/i.test(image);
  return { bytes: await readFile(isFileUrl ? fileURLToPath(image) : image) };
}
