/**
 * A worker's side of `engine.proto`: serves one model on a Unix socket (a named pipe on Windows) until
 * the platform that started it is gone.
 */
import { rmdirSync, rmSync } from "node:fs";
import { createServer, type Http2Server } from "node:http2";
import { dirname } from "node:path";
import { Engine as EngineService } from "@atalaya/protocol/engine";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { pino } from "pino";
import { PlatformError } from "../../base/errors.ts";
import type { EngineLoadOptions, LoadProgress } from "../engine.ts";
import {
  flatImageReport,
  fromGenerateRequest,
  fromLoadRequest,
  fromPicture,
  toGenerateReply,
  toModelInfo,
  toStatsReply,
} from "../worker/wire.ts";
import { toConnectError } from "../worker/wire-error.ts";
import { GrammarMasks } from "./grammar-masks.ts";
import type { ModelRunner } from "./model-runner.ts";
import { DEFAULT_MAX_NUM_SEQS, NativeEngine, type NativeEngineOptions } from "./native-engine.ts";
import { pictureCaches } from "./picture-caches.ts";
import { stepBudget } from "./step-budget.ts";

export type RunnerFactory = (
  options: EngineLoadOptions,
  hooks: { readonly onProgress: (progress: LoadProgress) => void },
) => Promise<ModelRunner>;

/** A prompt's pictures travel with it: eight of 50 megapixels, three bytes each. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;
const MAX_STREAMS = 4096;

/**
 * Serve until standard input closes, which is when the platform has ended.
 *
 * The socket's path is the process's first argument. One line on standard output says that it listens.
 */
export async function serveWorker(loadRunner: RunnerFactory): Promise<void> {
  const socketPath = process.argv[2];
  if (socketPath === undefined) throw new Error("usage: worker SOCKET");
  // One line an event, to standard error; never a prompt or a picture.
  const log = pino({ base: { worker: process.pid } }, pino.destination(2));
  const worker = new Worker(loadRunner, log);
  const server = createServer(
    { settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: 4 * 1024 * 1024 } },
    connectNodeAdapter({
      routes: (router) => worker.addRoutes(router),
      grpc: true,
      connect: false,
      grpcWeb: false,
      readMaxBytes: MAX_MESSAGE_BYTES,
    }),
  );
  await listen(server, socketPath);
  process.stdout.write("ready\n");
  process.stdin.resume();
  process.stdin.once("close", () => {
    log.info("parent gone");
    removeSocket(socketPath);
    process.exit(0);
  });
}

/** The platform removes it too, unless it was killed. */
function removeSocket(path: string): void {
  if (process.platform === "win32") return;
  try {
    rmSync(path, { force: true });
    rmdirSync(dirname(path));
  } catch {
    // Removed already, or not ours alone.
  }
}

function listen(server: Http2Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
}

/** `LoadProgress` as it is sent. */
type ProgressMessage = {
  readonly stage: string;
  readonly fraction?: number;
  readonly totalBytes?: bigint;
};

class Worker {
  readonly #loadRunner: RunnerFactory;
  readonly #log: pino.Logger;
  #engine: NativeEngine | undefined;
  #state: "starting" | "ready" | "failed" = "starting";

  constructor(loadRunner: RunnerFactory, log: pino.Logger) {
    this.#loadRunner = loadRunner;
    this.#log = log;
  }

  addRoutes(router: ConnectRouter): void {
    const loaded = (): NativeEngine => this.#loaded();
    router.service(EngineService, {
      load: (request) => this.#load(fromLoadRequest(request)),
      async *generate(request, { signal }: HandlerContext) {
        try {
          const { prompt, sampling } = fromGenerateRequest(request);
          for await (const event of loaded().generate(prompt, { sampling, signal })) {
            yield toGenerateReply(event);
          }
        } catch (error) {
          throw toConnectError(error);
        }
      },
      async encodeImage({ picture }) {
        try {
          if (picture === undefined) throw new Error("the request has no picture");
          return flatImageReport(await loaded().encodeImage(fromPicture(picture)));
        } catch (error) {
          throw toConnectError(error);
        }
      },
      stats: () => toStatsReply(loaded().stats()),
      health: () => ({ state: this.#state, version: process.version }),
    });
  }

  async *#load(
    options: EngineLoadOptions,
  ): AsyncGenerator<
    | { reply: { case: "progress"; value: ProgressMessage } }
    | { reply: { case: "model"; value: ReturnType<typeof toModelInfo> } }
  > {
    if (this.#engine !== undefined) {
      throw toConnectError(
        new PlatformError("model_already_launched", "This worker has a model already."),
      );
    }
    const limits = this.#limits(options);
    const progress: LoadProgress[] = [];
    let wake: (() => void) | undefined;
    let isDone = false;
    const loading = this.#loadRunner(options, {
      onProgress: (step) => {
        progress.push(step);
        wake?.();
      },
    }).finally(() => {
      isDone = true;
      wake?.();
    });
    // Its failure is met below, when the progress has been told.
    loading.catch(() => {});
    while (!isDone || progress.length > 0) {
      for (const { stage, fraction, totalBytes } of progress.splice(0)) {
        const value = {
          stage,
          ...(fraction !== undefined && { fraction }),
          ...(totalBytes !== undefined && { totalBytes: BigInt(totalBytes) }),
        };
        yield { reply: { case: "progress", value } };
      }
      if (!isDone && progress.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    try {
      const runner = await loading;
      const { vocabSize } = runner.model;
      this.#engine = new NativeEngine(runner, {
        maxNumSeqs: options.maxNumSeqs,
        ...limits,
        grammars: new GrammarMasks({ directory: options.directory, vocabSize }),
      });
      this.#state = "ready";
      this.#log.info({ directory: options.directory }, "model loaded");
      yield { reply: { case: "model", value: toModelInfo(this.#engine.model) } };
    } catch (error) {
      this.#state = "failed";
      this.#log.error({ err: error }, "loading failed");
      throw toConnectError(error);
    }
  }

  /** Before anything is loaded, so that a mistyped amount is told at once. */
  #limits(options: EngineLoadOptions): NativeEngineOptions {
    try {
      return {
        maxBatchedTokens: stepBudget(options, DEFAULT_MAX_NUM_SEQS),
        ...pictureCaches(options, (fields, message) => this.#log.warn(fields, message)),
      };
    } catch (error) {
      this.#state = "failed";
      throw toConnectError(error);
    }
  }

  #loaded(): NativeEngine {
    if (this.#engine === undefined) {
      throw toConnectError(
        new PlatformError("model_not_ready", "The model is still being loaded."),
      );
    }
    return this.#engine;
  }
}
