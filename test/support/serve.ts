/** A server over a fake engine: everything in front of the engine is the real thing. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { tokenId } from "../../src/base/ids.ts";
import { createLogger, type Logger } from "../../src/base/logger.ts";
import { builtinModels, packageRoot } from "../../src/config/package.ts";
import { findEngine } from "../../src/engines/catalog.ts";
import type { EngineLoader, EngineModelInfo } from "../../src/engines/engine.ts";
import type { FetchMedia } from "../../src/media/media-fetcher.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { Platform } from "../../src/platform.ts";
import { Registry } from "../../src/registry/registry.ts";
import type { GgufModels } from "../../src/supervisor/local-gguf.ts";
import { type FakeAnswer, FakeEngine } from "./fake-engine.ts";

/** A checkpoint with a tokenizer of single characters and a plain chat template. */
export const tinyCheckpoint = join(packageRoot(), "test/golden/mllama/tiny-a");

/** What the fake engine says about itself; the ids are those of the tiny checkpoint. */
const fakeModel: EngineModelInfo = {
  contextLength: 4_096,
  vocabSize: 256,
  numEmbeddings: 264,
  imageTokenId: tokenId(256),
  bosTokenId: tokenId(1),
  stopTokenIds: [tokenId(2), tokenId(6)],
  visionTokensPerTile: 17,
};

export interface FakeServer extends AsyncDisposable {
  /** Without a path. */
  readonly url: string;
  readonly platform: Platform;
  readonly engine: FakeEngine;
}

/** An engine that speaks the tiny checkpoint's tokens. */
export async function fakeEngine(
  answer: FakeAnswer | string,
  { contextLength = fakeModel.contextLength }: { readonly contextLength?: number } = {},
): Promise<FakeEngine> {
  return new FakeEngine(typeof answer === "string" ? { text: answer } : answer, {
    model: { ...fakeModel, contextLength },
    vocabulary: await readVocabulary(),
  });
}

/** The native engine's entry in the catalogue, with another way to load. */
export function findNative(load: EngineLoader): typeof findEngine {
  return async (name) => ({ ...(await findEngine(name)), load });
}

/** Knows the families that we ship, and no registration. */
export function builtinRegistry(): Registry {
  return new Registry({
    builtinDirectory: builtinModels(),
    registrationsDirectory: undefined,
    modelRoots: [],
  });
}

/**
 * The model answers to `fake`.
 *
 * @param fetchMedia reads pictures that come as an address; the real thing when absent
 */
export async function serveFakeEngine(
  answer: FakeAnswer | string,
  options: {
    readonly fetchMedia?: FetchMedia;
    readonly log?: Logger;
    /** The family that the model is said to be of. */
    readonly familyName?: string;
    readonly contextLength?: number;
    /** Answers that the engine is said to take at one time. */
    readonly maxNumSeqs?: number;
    readonly maxQueuedRequests?: number;
    /** The name it answers to; `fake` when absent. */
    readonly uid?: string;
    /** Whether a model that is loaded now stays on its way. */
    readonly isHeld?: () => boolean;
  } = {},
): Promise<FakeServer> {
  const { fetchMedia, log = createLogger("silent"), familyName, contextLength } = options;
  const { uid = "fake" } = options;
  const engine = await fakeEngine("a", contextLength === undefined ? {} : { contextLength });
  const platform = new Platform({
    log,
    maxQueuedRequests: options.maxQueuedRequests,
    parts: {
      findEngine: findNative(async (_options, { signal }) => {
        if (options.isHeld?.() === true) await once(signal, "abort");
        return engine;
      }),
      ...(fetchMedia === undefined
        ? {}
        : { openPipeline: (directory) => Pipeline.open(directory, { fetchMedia }) }),
    },
  });
  await platform.supervisor.launch({
    model: tinyCheckpoint,
    familyName,
    uid,
    engine: "native",
    profile: "ref",
    maxModelLen: undefined,
    maxNumSeqs: options.maxNumSeqs,
    kvCacheDtype: undefined,
    numThreads: undefined,
  });
  const instance = await platform.supervisor.whenSettled(uid);
  if (instance.state === "failed") throw instance.error;
  // The launch itself asked for a token.
  engine.requests.length = 0;
  engine.answer = typeof answer === "string" ? { text: answer } : answer;
  const url = await platform.listen({ host: "127.0.0.1", port: 0 });
  return { url, platform, engine, [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose]() };
}

async function readVocabulary(): Promise<ReadonlyMap<string, number>> {
  const file = z.object({ model: z.object({ vocab: z.record(z.string(), z.int()) }) });
  const text = await readFile(`${tinyCheckpoint}/tokenizer.json`, "utf8");
  return new Map(Object.entries(file.parse(JSON.parse(text)).model.vocab));
}

/** No GGUF is opened, and Ollama has no store. */
export const noGguf: GgufModels = {
  directoryOf: () => Promise.reject(new Error("no GGUF was expected")),
  findOllama: () => Promise.reject(new Error("nothing of Ollama's was expected")),
};
