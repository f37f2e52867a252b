/** From what a caller asks for to all that an engine sees: token ids, pictures, bounded numbers. */
import { totalmem } from "node:os";
import { PlatformError } from "../base/errors.ts";
import { type TokenId, tokenId } from "../base/ids.ts";
import type { Viewer } from "../base/viewer.ts";
import type { EngineModelInfo } from "../engines/engine.ts";
import type { EnginePrompt, EngineSampling, Picture } from "../generation/engine-prompt.ts";
import type { PromptReport } from "../generation/event.ts";
import type {
  ChatPrompt,
  GenerateRequest,
  ImageSource,
  RawPrompt,
  SamplingParams,
  TokenText,
} from "../generation/request.ts";
import type { ToolFunction } from "../generation/tools.ts";
import { answerGrammar } from "../grammar/answer-grammar.ts";
import { toolGrammar } from "../grammar/tool-grammar.ts";
import { contentHash } from "../image/content-hash.ts";
import { decodeImage } from "../image/decode.ts";
import { maxPixels } from "../image/decode-protocol.ts";
import { readImageHeader } from "../image/image-header.ts";
import type { FetchMedia } from "../media/media-fetcher.ts";
import { Detokenizer } from "../tokenizer/detokenize.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { applyChatRules } from "./chat-rules.ts";
import { checkSamplingParams } from "./check-sampling.ts";
import { checkTools } from "./check-tools.ts";
import { picturesInView } from "./pictures-in-view.ts";
import { PixelBudget } from "./pixel-budget.ts";
import { completeRawPrompt, markerMismatch } from "./raw-prompt.ts";
import { type ReadStored, readStoredImage } from "./read-stored.ts";

/** The request's decoded pictures count against `pixelBudget` until it is disposed of. */
export type PreparedRequest = Disposable & {
  readonly prompt: EnginePrompt;
  readonly report: PromptReport;
  readonly sampling: EngineSampling;
};

export type EncodeContext = {
  readonly tokenizer: Tokenizer;
  readonly model: EngineModelInfo;
  /** What chat templates are told, such as "23 Nov 2026". */
  readonly dateString: string;
  readonly signal: AbortSignal;
};

/** Decoded pictures of all requests at once, at most: a gibibyte, or an eighth of the memory. */
const pixelBudget = new PixelBudget(Math.min(2 ** 30, totalmem() / 8));

export type PrepareContext = EncodeContext & {
  /** Reads pictures that came as an address. */
  readonly fetchMedia: FetchMedia;
  /** Reads pictures that were sent as files before. */
  readonly readStored: ReadStored;
};

export type EncodedPrompt = {
  readonly tokenIds: readonly TokenId[];
  readonly images: readonly ImageSource[];
  readonly report: PromptReport;
};

/** Pictures of one request, at most. */
const maxImages = 8;

/**
 * Check a request, render its messages, encode its text, fetch and decode its pictures.
 *
 * @throws PlatformError what `encodePrompt` says; `invalid_request`, `invalid_image`,
 *   `context_length_exceeded`, and what `fetchMedia` says of an address
 */
export async function prepareRequest(
  request: GenerateRequest,
  context: PrepareContext,
): Promise<PreparedRequest> {
  const { prompt, sampling } = request;
  checkSamplingParams(sampling);
  checkTokenIdsOf(sampling, context.model);
  if (prompt.type === "chat") checkTools(prompt);
  const grammar = grammarOf(request);
  // The text first: it is cheaper, and most of what can be wrong shows there.
  const { tokenIds, images, report } = await encodePrompt(prompt, context);
  const engineSampling: EngineSampling = {
    ...toEngineSampling(sampling, tokenIds.length, context.model),
    ...(grammar !== undefined && { grammar }),
    ...(request.reportsPrompt === true && {
      promptLogprobs: { start: 1, numAlternatives: sampling.logprobs ?? 0 },
    }),
  };
  const files = await Promise.all(images.map((image) => bytesOf(image, request.viewer, context)));
  const room = await pixelBudget.take(decodedBytesOf(files), context.signal);
  try {
    const pictures = await Promise.all(
      files.map(async (file, index) => {
        const { maxTiles } = images[index] ?? {};
        const picture = await decodePicture(file, request.owner, context.signal);
        return maxTiles === undefined ? picture : { ...picture, maxTiles };
      }),
    );
    return {
      prompt: { tokenIds, pictures },
      report,
      sampling: engineSampling,
      [Symbol.dispose]: () => room[Symbol.dispose](),
    };
  } catch (error) {
    room[Symbol.dispose]();
    throw error;
  }
}

/**
 * An answer that may be calls is held to them where it must be one, where arguments must fit, and where it
 * must have a form otherwise; with a picture too, since the model was not trained for both.
 */
function grammarOf({ prompt, form, options }: GenerateRequest): string | undefined {
  const tools = prompt.type === "chat" ? prompt.tools : undefined;
  if (tools === undefined) return form === undefined ? undefined : answerGrammar(form);
  if (options !== undefined) {
    throw new PlatformError(
      "invalid_request",
      `"${options.field}" lists what the answer can be, which leaves no room for "tools". Leave one out.`,
      { details: { param: options.field } },
    );
  }
  const isHeld =
    tools.choice.type !== "auto" ||
    form !== undefined ||
    tools.functions.some(({ isStrict }) => isStrict) ||
    imagesOf(prompt).length > 0;
  return isHeld ? toolGrammar(tools, form) : undefined;
}

/**
 * Apply the rules of the chat, render and encode; no picture is fetched or decoded.
 *
 * @throws PlatformError `invalid_request`, `cancelled`, `queue_full`, `corrupt_model_file` when
 *   tokenizer and model do not belong together
 */
export async function encodePrompt(
  sent: ChatPrompt | RawPrompt,
  context: EncodeContext,
): Promise<EncodedPrompt> {
  checkTexts(sent);
  const ruled = sent.type === "chat" ? ruledChat(sent, context) : undefined;
  const images = imagesOf(ruled?.prompt ?? sent);
  if (images.length > maxImages) {
    throw new PlatformError(
      "invalid_request",
      `The request has ${images.length} pictures; at most ${maxImages} are accepted. Send fewer.`,
    );
  }
  const tokenIds =
    sent.type === "raw"
      ? await encodeRaw(sent, context)
      : await encodeChat(ruled ?? { prompt: sent, changes: [] }, images.length, context);
  checkTokenIds(tokenIds, context.model);
  const seenByLastTurn = picturesInView(tokenIds, context.model.imageTokenId);
  const report: PromptReport = {
    changes: ruled?.changes ?? [],
    seenByLastTurn,
    ...(sent.type === "raw" &&
      isTokenText(sent.text) && { decodedText: decode(tokenIds, context.tokenizer) }),
  };
  return { tokenIds, images, report };
}

function decode(tokenIds: readonly TokenId[], { vocabulary }: Tokenizer): string {
  const detokenizer = new Detokenizer();
  const texts = tokenIds.map((id) => detokenizer.push(vocabulary.bytesOf(id)));
  return texts.join("") + detokenizer.end();
}

function ruledChat(prompt: ChatPrompt, { tokenizer }: EncodeContext): RuledPrompt {
  const { messages, changes, functions } = applyChatRules(prompt.messages, {
    imageOrder: prompt.imageOrder,
    functions: prompt.tools?.functions ?? [],
    templateTakesTools: tokenizer.templateTakesTools,
  });
  return { prompt: { ...prompt, messages }, changes, functions };
}

type RuledPrompt = {
  readonly prompt: ChatPrompt;
  readonly changes: PromptReport["changes"];
  /** For the template to write. */
  readonly functions?: readonly ToolFunction[] | undefined;
};

async function encodeChat(
  { prompt: { messages }, functions }: RuledPrompt,
  numImages: number,
  { tokenizer, model, dateString, signal }: EncodeContext,
): Promise<readonly TokenId[]> {
  const { tokenIds } = await tokenizer.renderChat(messages, {
    addGenerationPrompt: true,
    dateString,
    beginId: model.bosTokenId,
    signal,
    ...(functions !== undefined && { functions }),
  });
  checkMarkers(tokenIds, numImages, { tokenizer, model });
  return tokenIds;
}

async function encodeRaw(
  { text, images, bos }: RawPrompt,
  { tokenizer, model, signal }: EncodeContext,
): Promise<readonly TokenId[]> {
  const markers = markersOf(tokenizer, model);
  let tokenIds: readonly TokenId[];
  if (typeof text === "string") {
    tokenIds = await tokenizer.encode(
      completeRawPrompt(text, { numImages: images.length, bos, markers }),
      { specialTokens: true, signal },
    );
  } else if (isTokenText(text)) {
    tokenIds = checkedTokenIds(text, model);
    checkMarkers(tokenIds, images.length, { tokenizer, model });
  } else {
    tokenIds = await tokenizer.encodePieces(text, { signal });
    checkMarkers(tokenIds, images.length, { tokenizer, model });
  }
  if (tokenIds.length === 0) {
    throw new PlatformError("invalid_request", "The prompt is empty. Give at least one token.");
  }
  return tokenIds;
}

/** @throws PlatformError `invalid_request` when a caller names a token that the model does not have */
function checkedTokenIds(
  { tokenIds, field }: TokenText,
  { numEmbeddings }: EngineModelInfo,
): readonly TokenId[] {
  const wrong = tokenIds.find((id) => !Number.isInteger(id) || id < 0 || id >= numEmbeddings);
  if (wrong === undefined) return tokenIds.map(tokenId);
  throw new PlatformError(
    "invalid_request",
    `"${field}" names the token ${wrong}; this model has those from 0 to ${number(numEmbeddings - 1)}.`,
    { details: { param: field } },
  );
}

function checkMarkers(
  tokenIds: readonly TokenId[],
  numImages: number,
  { tokenizer, model }: Pick<EncodeContext, "tokenizer" | "model">,
): void {
  const numMarkers = tokenIds.filter((id) => id === model.imageTokenId).length;
  if (numMarkers === numImages) return;
  throw markerMismatch({ numMarkers, numImages, marker: markersOf(tokenizer, model).image });
}

/** How the model's own special tokens are written. */
function markersOf(
  { vocabulary }: Tokenizer,
  model: EngineModelInfo,
): { readonly begin: string; readonly image: string } {
  const textOf = (id: TokenId): string => {
    const text = new TextDecoder().decode(vocabulary.bytesOf(id));
    if (vocabulary.idOf(text) === id) return text;
    throw new PlatformError(
      "corrupt_model_file",
      `The model's config.json names token ${id}, which tokenizer.json does not have as an added token. Fetch both files from the same checkpoint.`,
    );
  };
  return { begin: textOf(model.bosTokenId), image: textOf(model.imageTokenId) };
}

function checkTokenIds(tokenIds: readonly TokenId[], model: EngineModelInfo): void {
  const wrong = tokenIds.find((id) => id >= model.numEmbeddings);
  if (wrong === undefined) return;
  throw new PlatformError(
    "corrupt_model_file",
    `tokenizer.json gives token ${wrong}; the model has ${number(model.numEmbeddings)} embeddings. Fetch both files from the same checkpoint.`,
  );
}

function toEngineSampling(
  sampling: SamplingParams,
  numPromptTokens: number,
  model: EngineModelInfo,
): EngineSampling {
  const { stop: _, fitMaxTokens = false, maxTokens, seed, ...others } = sampling;
  const { logitBias = [], minTokens = 0, ignoreEos, stopTokenIds = [], ...numbers } = others;
  const room = model.contextLength - numPromptTokens;
  if (room < 1) {
    throw new PlatformError(
      "context_length_exceeded",
      `The prompt has ${number(numPromptTokens)} tokens; this model takes ${number(model.contextLength)}, and the answer needs at least one. Shorten it, or launch with a larger --max-model-len.`,
    );
  }
  if (maxTokens !== undefined && maxTokens > room && !fitMaxTokens) {
    throw new PlatformError(
      "context_length_exceeded",
      `The prompt has ${number(numPromptTokens)} tokens and max_tokens is ${number(maxTokens)}; this model takes ${number(model.contextLength)} together. Ask for at most ${number(room)}, or leave max_tokens out.`,
      { details: { param: "max_tokens" } },
    );
  }
  return {
    ...numbers,
    maxTokens: Math.min(maxTokens ?? room, room),
    seed: seed === undefined ? undefined : Number(BigInt.asUintN(32, BigInt(seed))),
    stopTokenIds: [...(ignoreEos === true ? [] : model.stopTokenIds), ...stopTokenIds.map(tokenId)],
    ...(minTokens > 0 && { minTokens }),
    ...(logitBias.length > 0 && {
      logitBias: logitBias.map((entry) => ({ ...entry, tokenId: tokenId(entry.tokenId) })),
    }),
  };
}

/** Ids that a caller names are those of the output head. */
function checkTokenIdsOf(
  { logitBias = [], stopTokenIds = [] }: SamplingParams,
  { vocabSize }: EngineModelInfo,
): void {
  const named = [
    ...logitBias.map((entry) => ["logit_bias", entry.tokenId] as const),
    ...stopTokenIds.map((id) => ["stop_token_ids", id] as const),
  ];
  for (const [field, id] of named) {
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) continue;
    throw new PlatformError(
      "invalid_request",
      `"${field}" names the token ${id}; this model has those from 0 to ${vocabSize - 1}.`,
      { details: { param: field } },
    );
  }
}

/** As the files claim, three bytes a pixel; what claims nothing sensible is refused when it is decoded. */
function decodedBytesOf(files: readonly Uint8Array[]): number {
  return files.reduce((sum, bytes) => {
    const { width = 0, height = 0 } = readImageHeader(bytes)?.size ?? {};
    return sum + 3 * Math.min(width * height, maxPixels);
  }, 0);
}

async function bytesOf(
  source: ImageSource,
  viewer: Viewer | undefined,
  { fetchMedia, readStored, signal }: PrepareContext,
): Promise<Uint8Array> {
  if ("bytes" in source) return source.bytes;
  if ("url" in source) return await fetchMedia(source.url, { signal });
  return await readStoredImage(source, { read: readStored, viewer, signal });
}

async function decodePicture(
  bytes: Uint8Array,
  owner: string | undefined,
  signal: AbortSignal,
): Promise<Picture> {
  const image = await decodeImage(bytes, { signal });
  return { ...image, contentHash: contentHash(image, owner) };
}

function imagesOf(prompt: ChatPrompt | RawPrompt): readonly ImageSource[] {
  if (prompt.type === "raw") return prompt.images;
  return prompt.messages.flatMap(({ content }) =>
    content.flatMap((part) => (part.type === "image" ? [part.image] : [])),
  );
}

function checkTexts(prompt: ChatPrompt | RawPrompt): void {
  if (prompt.type === "chat" && prompt.messages.length === 0) {
    throw new PlatformError("invalid_request", "There are no messages. Send at least one.");
  }
  const texts =
    prompt.type === "raw"
      ? rawTexts(prompt)
      : prompt.messages.flatMap(({ content }) =>
          content.flatMap((part) => (part.type === "text" ? [part.text] : [])),
        );
  if (texts.every((text) => text.isWellFormed())) return;
  throw new PlatformError(
    "invalid_request",
    "The text holds half a character (a lone UTF-16 surrogate). Send whole characters.",
  );
}

function rawTexts({ text }: RawPrompt): readonly string[] {
  if (typeof text === "string") return [text];
  return isTokenText(text) ? [] : text.map((piece) => piece.text);
}

function isTokenText(text: RawPrompt["text"]): text is TokenText {
  return typeof text === "object" && "tokenIds" in text;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
