/**
 * A checkpoint's tokenizer and chat template: text and messages become token ids.
 *
 * Both run in worker threads with limits, because both can be made to take seconds: the tokenizer by
 * a long run without a space, the template by being a program. Structure tokens in a conversation
 * come from the template alone; see `special-text.ts`.
 */
import { PlatformError } from "../base/errors.ts";
import { type TokenId, tokenId } from "../base/ids.ts";
import { workerEntry } from "../base/worker-entry.ts";
import { ThreadFailure, type ThreadFailureReason, WorkerThread } from "../base/worker-thread.ts";
import type { ChatMessage, TextPiece } from "../generation/request.ts";
import { describeTool, type ToolFunction } from "../generation/tools.ts";
import { readChatTemplate } from "./chat-template.ts";
import { chooseShield, lowerShield, raiseShield } from "./special-text.ts";
import { type TemplateForm, toTemplateMessages, toTemplateTools } from "./template-messages.ts";
import type { RenderQuestion, TemplateData } from "./template-thread.ts";
import type { EncodeQuestion, TokenizerData } from "./tokenizer-thread.ts";
import { readVocabulary, type Vocabulary, type VocabularyTable } from "./vocabulary.ts";

export interface Tokenizer extends AsyncDisposable {
  readonly vocabulary: Vocabulary;
  /** Without one the checkpoint is a base model, which continues text and does not chat. */
  readonly hasChatTemplate: boolean;
  /** Where functions are the template's business: what of them it writes, it decides. */
  readonly templateTakesTools: "always" | "without-pictures" | "never";
  /**
   * Encode text as it is; nothing is added.
   *
   * @param options.specialTokens whether special strings in it become their tokens, or stay text
   * @throws PlatformError `invalid_request` when it is too long or takes too long, `cancelled`,
   *   `queue_full`
   */
  encode(
    text: string,
    options: { readonly specialTokens: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<TokenId[]>;
  /**
   * Encode pieces as one text: the special strings of special pieces become their tokens, those in text
   * pieces stay text.
   *
   * @throws PlatformError as `encode`
   */
  encodePieces(
    pieces: readonly TextPiece[],
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<TokenId[]>;
  /**
   * Render a conversation with the checkpoint's template and encode it, with exactly one begin-of-text
   * token in front. Special strings in the messages stay text.
   *
   * @throws PlatformError `invalid_request` when there is no template, when it refuses the messages,
   *   or when they take too long; `corrupt_model_file` when it fails; `cancelled`, `queue_full`
   */
  renderChat(
    messages: readonly ChatMessage[],
    options: {
      readonly addGenerationPrompt: boolean;
      /** Such as "23 Nov 2026". */
      readonly dateString: string;
      /** Functions for the template, where they are its business. */
      readonly functions?: readonly ToolFunction[];
      /** The model's own, where tokenizer_config.json names none. */
      readonly beginId?: TokenId | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<RenderedPrompt>;
}

type RenderedPrompt = {
  readonly tokenIds: readonly TokenId[];
  /** What the template made, special strings and all; for people to look at, not to encode again. */
  readonly text: string;
};

export type TokenizerLimits = {
  /** UTF-16 units of one text: eight for every token of the longest context there is. */
  readonly maxTextLength: number;
  readonly encodeTimeoutMs: number;
  readonly renderTimeoutMs: number;
  /** Questions that may wait for either thread. */
  readonly maxWaiting: number;
};

export const defaultTokenizerLimits: TokenizerLimits = {
  maxTextLength: 1024 * 1024,
  encodeTimeoutMs: 5_000,
  renderTimeoutMs: 2_000,
  maxWaiting: 512,
};

/**
 * Reading a vocabulary of 128,000 tokens takes 0.6 s on a quiet machine, trying a template out 0.1 s. A
 * checkpoint must not be called broken because the machine is busy.
 */
const startTimeoutMs = 60_000;

/** The tokenizer's tables take 200 MB. */
const tokenizerHeapMb = 1_024;
const templateHeapMb = 128;

const failedStart: Record<ThreadFailureReason, string> = {
  "timed-out": `reading it took longer than ${startTimeoutMs / 1_000} s. Fetch the checkpoint again, or give this machine less to do.`,
  "out-of-memory":
    "reading it takes more memory than any tokenizer needs. Fetch the checkpoint again.",
  crashed: "the thread that reads it ended. Fetch the checkpoint again.",
};

type EncodeThread = WorkerThread<EncodeQuestion, Uint32Array, VocabularyTable>;
type RenderThread = WorkerThread<RenderQuestion, string, TemplateForm>;

/**
 * Open the tokenizer and the chat template of a checkpoint directory.
 *
 * @throws PlatformError `corrupt_model_file`
 */
export async function openTokenizer(
  directory: string,
  { limits = defaultTokenizerLimits }: { readonly limits?: TokenizerLimits } = {},
): Promise<Tokenizer> {
  const { source, namedTokens } = await readChatTemplate(directory);
  const { maxWaiting } = limits;
  const data: TokenizerData = { directory };
  const encoder: EncodeThread = new WorkerThread({
    entry: workerEntry(import.meta.url, "./tokenizer-thread"),
    data,
    heapLimitMb: tokenizerHeapMb,
    startTimeoutMs,
    maxWaiting,
  });
  const renderer =
    source === undefined ? undefined : newRenderer({ source, namedTokens }, maxWaiting);
  try {
    const [table, form] = await Promise.all([encoder.start(), renderer?.start()]);
    const vocabulary = readVocabulary(table);
    const specials = table.addedTokens.map(({ text }) => text);
    return new ThreadedTokenizer({
      vocabulary,
      specials,
      encoder,
      template:
        source === undefined || renderer === undefined || form === undefined
          ? undefined
          : { source, form, renderer },
      namedTokens,
      limits,
    });
  } catch (error) {
    await Promise.all([encoder[Symbol.asyncDispose](), renderer?.[Symbol.asyncDispose]()]);
    if (!(error instanceof ThreadFailure)) throw error;
    throw new PlatformError(
      "corrupt_model_file",
      `The tokenizer or the chat template of ${directory} cannot be opened: ${failedStart[error.reason]}`,
      { cause: error },
    );
  }
}

function newRenderer(data: TemplateData, maxWaiting: number): RenderThread {
  return new WorkerThread({
    entry: workerEntry(import.meta.url, "./template-thread"),
    data,
    heapLimitMb: templateHeapMb,
    startTimeoutMs,
    maxWaiting,
  });
}

type Parts = {
  readonly vocabulary: Vocabulary;
  /** The strings of all added tokens. */
  readonly specials: readonly string[];
  readonly encoder: EncodeThread;
  readonly template:
    | { readonly source: string; readonly form: TemplateForm; readonly renderer: RenderThread }
    | undefined;
  readonly namedTokens: Readonly<Record<string, string>>;
  readonly limits: TokenizerLimits;
};

class ThreadedTokenizer implements Tokenizer {
  readonly vocabulary: Vocabulary;
  readonly hasChatTemplate: boolean;
  readonly templateTakesTools: Tokenizer["templateTakesTools"];
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.vocabulary = parts.vocabulary;
    this.hasChatTemplate = parts.template !== undefined;
    const form = parts.template?.form;
    this.templateTakesTools =
      form?.besideTools === undefined
        ? "never"
        : form.takesToolsWithPictures
          ? "always"
          : "without-pictures";
    this.#parts = parts;
  }

  async encode(
    text: string,
    options: { readonly specialTokens: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<TokenId[]> {
    this.#checkLength(text.length);
    return await this.#encode({ text, specialTokens: options.specialTokens, shield: [] }, options);
  }

  async encodePieces(
    pieces: readonly TextPiece[],
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<TokenId[]> {
    this.#checkLength(pieces.reduce((sum, { text }) => sum + text.length, 0));
    const shield = chooseShield(
      this.#parts.specials,
      pieces.map(({ text }) => text),
    );
    const text = pieces
      .map((piece) => (piece.type === "special" ? piece.text : raiseShield(piece.text, shield)))
      .join("");
    return await this.#encode({ text, specialTokens: true, shield }, options);
  }

  async renderChat(
    messages: readonly ChatMessage[],
    options: {
      readonly addGenerationPrompt: boolean;
      readonly dateString: string;
      readonly functions?: readonly ToolFunction[];
      readonly beginId?: TokenId | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<RenderedPrompt> {
    const { template, specials } = this.#parts;
    if (template === undefined) {
      throw new PlatformError(
        "invalid_request",
        "This checkpoint has no chat template: it is a base model, which continues text. Use completions with a plain prompt instead.",
      );
    }
    const { functions = [] } = options;
    const texts = [
      ...messages.flatMap(({ content, toolCalls = [] }) => [
        ...content.flatMap((part) => (part.type === "text" ? [part.text] : [])),
        ...toolCalls.flatMap((call) => [call.name, call.arguments]),
      ]),
      ...functions.map((tool) => JSON.stringify(describeTool(tool))),
    ];
    this.#checkLength(texts.reduce((sum, text) => sum + text.length, 0));
    const shield = chooseShield(specials, [...texts, template.source]);
    const rendered = await this.#render(template.renderer, {
      question: {
        messages: toTemplateMessages(messages, {
          form: template.form,
          shield,
          hasTools: functions.length > 0,
        }),
        ...(functions.length > 0 && { tools: toTemplateTools(functions, shield) }),
        addGenerationPrompt: options.addGenerationPrompt,
        dateString: options.dateString,
      },
      signal: options.signal,
    });
    this.#checkLength(rendered.length);
    const tokenIds = await this.#encode({ text: rendered, specialTokens: true, shield }, options);
    return {
      tokenIds: withOneBeginning(tokenIds, this.#beginId() ?? options.beginId),
      text: lowerShield(rendered, shield),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { encoder, template } = this.#parts;
    await Promise.all([encoder[Symbol.asyncDispose](), template?.renderer[Symbol.asyncDispose]()]);
  }

  async #encode(
    question: EncodeQuestion,
    { signal }: { readonly signal?: AbortSignal | undefined },
  ): Promise<TokenId[]> {
    const { encoder, limits } = this.#parts;
    try {
      const ids = await encoder.ask(question, { timeoutMs: limits.encodeTimeoutMs, signal });
      return Array.from(ids, tokenId);
    } catch (error) {
      throw limitError(error, {
        what: "The text",
        does: "be split into tokens",
        timeoutMs: limits.encodeTimeoutMs,
        advice: "Send less of it, or break up long runs without a space.",
      });
    }
  }

  async #render(
    renderer: RenderThread,
    { question, signal }: { question: RenderQuestion; signal: AbortSignal | undefined },
  ): Promise<string> {
    const { renderTimeoutMs } = this.#parts.limits;
    try {
      return await renderer.ask(question, { timeoutMs: renderTimeoutMs, signal });
    } catch (error) {
      throw limitError(error, {
        what: "The conversation",
        does: "be rendered by the model's chat template",
        timeoutMs: renderTimeoutMs,
        advice: "Send less of it, or use plain completions.",
      });
    }
  }

  #beginId(): TokenId | undefined {
    const { namedTokens } = this.#parts;
    const text = namedTokens["bos_token"];
    return text === undefined ? undefined : this.vocabulary.idOf(text);
  }

  #checkLength(length: number): void {
    const { maxTextLength } = this.#parts.limits;
    if (length <= maxTextLength) return;
    throw new PlatformError(
      "invalid_request",
      `The text has ${length.toLocaleString("en-US")} characters; at most ${maxTextLength.toLocaleString("en-US")} are accepted. Shorten it.`,
    );
  }
}

/** Templates usually write the begin-of-text token, some twice, some not at all. */
function withOneBeginning(ids: readonly TokenId[], beginId: TokenId | undefined): TokenId[] {
  if (beginId === undefined) return [...ids];
  const first = ids.findIndex((id) => id !== beginId);
  return [beginId, ...ids.slice(first < 0 ? ids.length : first)];
}

/** A thread that was given up becomes a sentence; anything else stays what it is. */
function limitError(
  error: unknown,
  words: {
    readonly what: string;
    readonly does: string;
    readonly timeoutMs: number;
    readonly advice: string;
  },
): unknown {
  if (!(error instanceof ThreadFailure) || error.reason === "crashed") return error;
  const limit =
    error.reason === "timed-out"
      ? `takes longer than ${words.timeoutMs / 1000} seconds to ${words.does}`
      : `needs more memory than it may use to ${words.does}`;
  return new PlatformError("invalid_request", `${words.what} ${limit}. ${words.advice}`, {
    cause: error,
  });
}
