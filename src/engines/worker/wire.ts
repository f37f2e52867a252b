/** Our words ↔ `engine.proto`'s. Pure; both ends of the socket use it. */

import {
  type GenerateReply,
  GenerateReplySchema,
  type GenerateRequest,
  GenerateRequestSchema,
  type ImageReport as ImageReportMessage,
  type LoadRequest,
  LoadRequestSchema,
  type ModelInfo,
  ModelInfoSchema,
  type Picture as PictureMessage,
  type Sampling as SamplingMessage,
  type StatsReply,
  StatsReplySchema,
  type Token as TokenMessage,
  TokenSchema,
} from "@atalaya/protocol/engine";
import { create } from "@bufbuild/protobuf";
import { type TokenId, tokenId } from "../../base/ids.ts";
import type {
  EngineEvent,
  EnginePrompt,
  EngineSampling,
  ImageReport,
  Picture,
  TokenReport,
} from "../../generation/engine-prompt.ts";
import type { FinishReason } from "../../generation/event.ts";
import { isStateDtype } from "../../models/mllama/state-dtype.ts";
import type { EngineLoadOptions, EngineModelInfo, EngineStats, PlacedPart } from "../engine.ts";

// ------------------------------------------------------------------------------------ loading

export function toLoadRequest(options: EngineLoadOptions): LoadRequest {
  const { directory, profile, maxModelLen, maxNumSeqs, kvCacheDtype, numThreads } = options;
  const { quantization, cacheDirectory, engineOptions = {} } = options;
  return create(LoadRequestSchema, {
    directory,
    profile,
    ...(maxModelLen !== undefined && { maxModelLen }),
    ...(maxNumSeqs !== undefined && { maxNumSeqs }),
    ...(kvCacheDtype !== undefined && { kvCacheDtype }),
    ...(numThreads !== undefined && { numThreads }),
    ...(quantization !== undefined && { quantization }),
    ...(cacheDirectory !== undefined && { cacheDirectory }),
    engineOptions: Object.fromEntries(
      Object.entries(engineOptions).map(([name, value]) => [name, JSON.stringify(value)]),
    ),
  });
}

export function fromLoadRequest(request: LoadRequest): EngineLoadOptions {
  const { kvCacheDtype } = request;
  return {
    directory: request.directory,
    profile: request.profile === "hf" ? "hf" : "ref",
    maxModelLen: request.maxModelLen,
    maxNumSeqs: request.maxNumSeqs,
    kvCacheDtype: isStateDtype(kvCacheDtype) ? kvCacheDtype : undefined,
    numThreads: request.numThreads,
    ...(request.cacheDirectory !== undefined && { cacheDirectory: request.cacheDirectory }),
    quantization: request.quantization === "" ? "none" : request.quantization,
    engineOptions: Object.fromEntries(
      Object.entries(request.engineOptions).map(([name, json]) => [name, JSON.parse(json)]),
    ),
  };
}

export function toModelInfo(model: EngineModelInfo): ModelInfo {
  const placement = (model.placement ?? []).map((part) => ({
    ...part,
    bytes: BigInt(Math.round(part.bytes)),
  }));
  return create(ModelInfoSchema, { ...model, stopTokenIds: [...model.stopTokenIds], placement });
}

export function fromModelInfo(info: ModelInfo): EngineModelInfo {
  return {
    contextLength: info.contextLength,
    vocabSize: info.vocabSize,
    numEmbeddings: info.numEmbeddings,
    imageTokenId: tokenId(info.imageTokenId),
    bosTokenId: tokenId(info.bosTokenId),
    stopTokenIds: info.stopTokenIds.map(tokenId),
    visionTokensPerTile: info.visionTokensPerTile,
    ...(info.placement.length > 0 && { placement: info.placement.map(fromPlacedPart) }),
  };
}

function fromPlacedPart(part: ModelInfo["placement"][number]): PlacedPart {
  const { device, name, numLayers, hasHead, hasTower, bytes } = part;
  return { device, name, numLayers, hasHead, hasTower, bytes: Number(bytes) };
}

// --------------------------------------------------------------------------------- generating

export function toGenerateRequest(prompt: EnginePrompt, sampling: EngineSampling): GenerateRequest {
  const { seed, logprobs, stopTokenIds, logitBias, grammar, promptLogprobs, ...numbers } = sampling;
  return create(GenerateRequestSchema, {
    tokenIds: [...prompt.tokenIds],
    pictures: prompt.pictures.map(({ width, height, pixels, contentHash, maxTiles }) => ({
      width,
      height,
      pixels,
      contentHash,
      ...(maxTiles !== undefined && { maxTiles }),
    })),
    sampling: {
      ...numbers,
      stopTokenIds: [...stopTokenIds],
      ...(seed !== undefined && { seed }),
      ...(logprobs !== undefined && { logprobs }),
      ...(logitBias !== undefined && { logitBias: [...logitBias] }),
      ...(grammar !== undefined && { grammar }),
      ...(promptLogprobs !== undefined && { promptLogprobs }),
    },
  });
}

/** @throws Error when the message is not one that the platform sends */
export function fromGenerateRequest(request: GenerateRequest): {
  prompt: EnginePrompt;
  sampling: EngineSampling;
} {
  const { sampling } = request;
  if (sampling === undefined) throw new Error("the request has no sampling");
  return {
    prompt: {
      tokenIds: request.tokenIds.map(tokenId),
      pictures: request.pictures.map(fromPicture),
    },
    sampling: {
      maxTokens: sampling.maxTokens,
      temperature: sampling.temperature,
      topK: sampling.topK,
      topP: sampling.topP,
      minP: sampling.minP,
      presencePenalty: sampling.presencePenalty,
      frequencyPenalty: sampling.frequencyPenalty,
      repetitionPenalty: sampling.repetitionPenalty,
      seed: sampling.seed,
      stopTokenIds: sampling.stopTokenIds.map(tokenId),
      logprobs: sampling.logprobs,
      ...fromConstraints(sampling),
    },
  };
}

/** What most requests do not ask for is absent. */
function fromConstraints({
  logitBias,
  minTokens,
  grammar,
  promptLogprobs,
}: SamplingMessage): Pick<
  EngineSampling,
  "logitBias" | "minTokens" | "grammar" | "promptLogprobs"
> {
  return {
    ...(logitBias.length > 0 && {
      logitBias: logitBias.map(({ tokenId: id, bias }) => ({ tokenId: tokenId(id), bias })),
    }),
    ...(minTokens > 0 && { minTokens }),
    ...(grammar !== undefined && { grammar }),
    ...(promptLogprobs !== undefined && {
      promptLogprobs: {
        start: promptLogprobs.start,
        numAlternatives: promptLogprobs.numAlternatives,
      },
    }),
  };
}

/** A length that lies would be read past its end later. */
export function fromPicture({
  width,
  height,
  pixels,
  contentHash,
  maxTiles,
}: PictureMessage): Picture {
  if (width === 0 || height === 0 || pixels.length !== width * height * 3) {
    throw new Error(`${pixels.length} bytes are no picture of ${width} × ${height}`);
  }
  if (maxTiles === 0) throw new Error("a picture takes one tile at least");
  return { width, height, pixels, contentHash, ...(maxTiles !== undefined && { maxTiles }) };
}

export function toGenerateReply(event: EngineEvent): GenerateReply {
  switch (event.type) {
    case "image":
      return create(GenerateReplySchema, {
        event: {
          case: "image",
          value: { ...flatImageReport(event), imageIndex: event.imageIndex },
        },
      });
    case "token":
      return create(GenerateReplySchema, { event: { case: "token", value: toToken(event) } });
    case "prompt-token":
      return create(GenerateReplySchema, { event: { case: "promptToken", value: toToken(event) } });
    case "reused":
      return create(GenerateReplySchema, {
        event: { case: "reused", value: { numTokens: event.numTokens } },
      });
    case "finish":
      return create(GenerateReplySchema, {
        event: { case: "finish", value: { reason: event.reason } },
      });
    default:
      return event satisfies never;
  }
}

function toToken({ tokenId: id, logprob, topLogprobs }: TokenReport): TokenMessage {
  return create(TokenSchema, {
    tokenId: id,
    ...(logprob !== undefined && { logprob }),
    topLogprobs: [...topLogprobs],
  });
}

/** The fields of the wire's report, without the index. */
export function flatImageReport(
  report: Omit<ImageReport, "imageIndex">,
): Omit<ImageReportMessage, "$typeName" | "$unknown" | "imageIndex"> {
  const { width, height, grid, resized, aspectRatioId, cached, cachedIn, encodeMs } = report;
  return {
    width,
    height,
    rows: grid.rows,
    columns: grid.columns,
    resizedWidth: resized.width,
    resizedHeight: resized.height,
    aspectRatioId,
    cached,
    ...(cachedIn !== undefined && { cachedIn }),
    encodeMs,
  };
}

/** @throws Error when a worker says what no worker may: an unknown token, a number that is none */
export function fromGenerateReply({ event }: GenerateReply, vocabSize: number): EngineEvent {
  switch (event.case) {
    case "image":
      return { type: "image", ...fromImageReport(event.value) };
    case "token":
      return { type: "token", ...fromToken(event.value, vocabSize) };
    case "promptToken":
      // A prompt's tokens may be any that the embedding has; its alternatives are the head's.
      return { type: "prompt-token", ...fromToken(event.value, vocabSize, 2 ** 32) };
    case "reused":
      return { type: "reused", numTokens: event.value.numTokens };
    case "finish":
      return { type: "finish", reason: finishReason(event.value.reason) };
    case undefined:
      throw new Error("the worker sent an event without a kind");
    default:
      return event satisfies never;
  }
}

function fromImageReport(report: ImageReportMessage): ImageReport {
  return {
    imageIndex: report.imageIndex,
    width: report.width,
    height: report.height,
    grid: { rows: report.rows, columns: report.columns },
    resized: { width: report.resizedWidth, height: report.resizedHeight },
    aspectRatioId: report.aspectRatioId,
    cached: report.cached,
    ...((report.cachedIn === "memory" || report.cachedIn === "disk") && {
      cachedIn: report.cachedIn,
    }),
    encodeMs: finite(report.encodeMs),
  };
}

function fromToken(token: TokenMessage, vocabSize: number, numIds = vocabSize): TokenReport {
  const known = (id: number, size = vocabSize): TokenId => {
    if (id >= size) throw new Error(`the worker sent the token ${id} of ${size}`);
    return tokenId(id);
  };
  return {
    tokenId: known(token.tokenId, numIds),
    logprob: token.logprob === undefined ? undefined : finite(token.logprob),
    topLogprobs: token.topLogprobs.map(({ tokenId: id, logprob }) => ({
      tokenId: known(id),
      logprob: finite(logprob),
    })),
  };
}

function finishReason(reason: string): FinishReason {
  if (reason === "stop" || reason === "length" || reason === "cancelled") return reason;
  throw new Error("the worker gave an unknown finish reason");
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new Error("the worker sent a number that is none");
  return value;
}

/** Numbers that the wire has 64 bits for, and an engine may not know. */
const largeStats = [
  "weightBytes",
  "kvCacheBytes",
  "pictureBytes",
  "promptTokens",
  "reusedTokens",
] as const;

export function toStatsReply(stats: EngineStats): StatsReply {
  const { numRunning, numWaiting, kvBlocksUsed, kvBlocksTotal, cachedPictures } = stats;
  const reply = create(StatsReplySchema, {
    numRunning,
    numWaiting,
    kvBlocksUsed,
    kvBlocksTotal,
    cachedPictures,
    residentBytes: BigInt(stats.residentBytes),
  });
  for (const name of largeStats) {
    const value = stats[name];
    if (value !== undefined) reply[name] = BigInt(value);
  }
  return reply;
}

export function fromStatsReply(reply: StatsReply): EngineStats {
  const { numRunning, numWaiting, kvBlocksUsed, kvBlocksTotal, cachedPictures } = reply;
  const known = largeStats.flatMap((name) => {
    const value = reply[name];
    return value === undefined ? [] : [[name, Number(value)] as const];
  });
  return {
    numRunning,
    numWaiting,
    kvBlocksUsed,
    kvBlocksTotal,
    cachedPictures,
    residentBytes: Number(reply.residentBytes),
    ...Object.fromEntries(known),
  };
}
