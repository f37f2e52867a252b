/** Picks the instance that answers a request, waits for its turn there, and holds it while the answer lasts. */
import type { Context } from "@opentelemetry/api";
import { PlatformError } from "../base/errors.ts";
import type { Engine, ModelProfile } from "../engines/engine.ts";
import type { GenerateEvent } from "../generation/event.ts";
import type { GenerateRequest } from "../generation/request.ts";
import type { DefaultSampling } from "./default-sampling.ts";
import { FairQueue, type QueueState } from "./fair-queue.ts";
import type { ReadyInstance } from "./instance.ts";
import { slotsOf } from "./slots.ts";
import type { Supervisor } from "./supervisor.ts";

export type ModelFacts = {
  readonly uid: string;
  /** Whose semantics it was launched with. */
  readonly profile: ModelProfile;
  readonly defaultSampling: DefaultSampling;
  /** Tokens of prompt and answer together. */
  readonly contextLength: number;
  /** Without one it continues text and does not chat. */
  readonly hasChatTemplate: boolean;
};

/** Which request an answer belongs to. */
export type RequestOrigin = {
  /** Whose it is: one key, one account, one address; turns are shared out between these. */
  readonly asker?: string | undefined;
  /** For logs and traces alone, as the next. */
  readonly requestId?: string | undefined;
  /** The span that it is part of. */
  readonly traceContext?: Context | undefined;
};

/** Where an answer comes from. */
export type AnswerAbout = RequestOrigin & {
  readonly instance: ReadyInstance;
  /** Number of the replica that answers, once one was chosen; of several answers to one request the last. */
  readonly replica: () => number | undefined;
};

/** Sees every answer go by. */
export type WatchAnswer = (
  events: AsyncIterable<GenerateEvent>,
  about: AnswerAbout,
) => AsyncIterable<GenerateEvent>;

/** Told how a request's wait for its turn ended. */
export type WatchQueue = (
  instance: ReadyInstance,
  how: { readonly waitedMs: number } | "refused",
) => void;

export type RouterOptions = {
  readonly watch?: WatchAnswer;
  readonly watchQueue?: WatchQueue;
  /** Requests that may wait for one model. */
  readonly maxQueuedRequests?: number | undefined;
};

/** Requests that may wait for one model, when nobody said it. */
const defaultQueuedRequests = 256;

export class Router {
  readonly #supervisor: Supervisor;
  readonly #watch: WatchAnswer;
  readonly #watchQueue: WatchQueue;
  readonly #maxWaiting: number;
  /** By what is loaded: one that is launched anew begins with nobody waiting. */
  readonly #queues = new WeakMap<Engine, FairQueue>();

  constructor(
    supervisor: Supervisor,
    {
      watch = (events) => events,
      watchQueue = () => undefined,
      maxQueuedRequests = defaultQueuedRequests,
    }: RouterOptions = {},
  ) {
    this.#supervisor = supervisor;
    this.#watch = watch;
    this.#watchQueue = watchQueue;
    this.#maxWaiting = maxQueuedRequests;
  }

  /** Who waits for a model that answers. */
  queueOf({ engine }: ReadyInstance): QueueState {
    return this.#queues.get(engine)?.state ?? { numRunning: 0, numWaiting: 0, numAskers: 0 };
  }

  /**
   * The settings that a request to this model starts from.
   *
   * @throws PlatformError `model_not_found`, `model_not_ready`
   */
  defaultsOf(uid: string): DefaultSampling {
    using lease = this.#supervisor.lease(uid);
    return lease.instance.defaultSampling;
  }

  /** Which model goes by this name, whatever it is doing. */
  uidOf(name: string): string | undefined {
    return this.#supervisor.find(name)?.uid;
  }

  /**
   * What a dialect needs to know of a model before it asks.
   *
   * @throws PlatformError `model_not_found`, `model_not_ready`
   */
  about(uid: string): ModelFacts {
    using lease = this.#supervisor.lease(uid);
    const { uid: ownUid, profile, defaultSampling, engine, pipeline } = lease.instance;
    return {
      uid: ownUid,
      profile,
      defaultSampling,
      contextLength: engine.model.contextLength,
      hasChatTemplate: pipeline.tokenizer.hasChatTemplate,
    };
  }

  /**
   * Count the tokens of a prompt as the model would be given it; pictures are not read.
   *
   * @throws PlatformError `model_not_found`, `model_not_ready`, and what the pipeline says
   */
  async countTokens(
    uid: string,
    prompt: GenerateRequest["prompt"],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<number> {
    using lease = this.#supervisor.lease(uid);
    const { engine, pipeline } = lease.instance;
    return await pipeline.countTokens(engine, prompt, { signal });
  }

  /**
   * Answer `request` when its turn comes. Leaving the loop, or aborting `signal`, stops the work.
   *
   * @throws PlatformError `queue_full`, whatever the pipeline and the engine say, `model_not_ready` when the
   *   model is terminated under way
   */
  async *generate(
    uid: string,
    request: GenerateRequest,
    { signal, ...origin }: { readonly signal: AbortSignal } & RequestOrigin,
  ): AsyncGenerator<GenerateEvent, void> {
    using lease = this.#supervisor.lease(uid);
    const { instance } = lease;
    let replica: number | undefined;
    const engine = instance.replicas.telling((chosen) => {
      replica = chosen;
    });
    const stop = AbortSignal.any([signal, lease.signal]);
    const { asker = "" } = origin;
    try {
      const events = this.#inTurn({ instance, engine }, request, { asker, signal: stop });
      yield* this.#watch(events, { instance, replica: () => replica, ...origin });
    } catch (error) {
      // What a cut answer throws on its way out is noise; why it was cut is not.
      throw stop.aborted ? stop.reason : error;
    }
    // An engine that was told to stop may end quietly; the caller must not take that for an answer.
    lease.signal.throwIfAborted();
  }

  /** Nothing of a request is read or fetched before its turn: a long prompt or a slow picture is work too. */
  async *#inTurn(
    { instance, engine }: { readonly instance: ReadyInstance; readonly engine: Engine },
    request: GenerateRequest,
    { asker, signal }: { readonly asker: string; readonly signal: AbortSignal },
  ): AsyncGenerator<GenerateEvent, void> {
    const cost = numAnswers(request);
    const waiting = this.#queueFor(instance).take(asker, { cost, signal });
    waiting.catch((error: unknown) => {
      const isRefused = error instanceof PlatformError && error.code === "queue_full";
      if (isRefused) this.#watchQueue(instance, "refused");
    });
    using turn = await waiting;
    this.#watchQueue(instance, turn);
    yield* instance.pipeline.generate(engine, request, { signal });
  }

  #queueFor({ engine, uid }: ReadyInstance): FairQueue {
    let queue = this.#queues.get(engine);
    if (queue === undefined) {
      queue = new FairQueue(() => ({
        slots: slotsOf(uid, this.#supervisor),
        maxWaiting: this.#maxWaiting,
      }));
      this.#queues.set(engine, queue);
    }
    return queue;
  }
}

/** What an engine works on at the same time for one request. */
function numAnswers({ numChoices = 1, bestOf = numChoices, options }: GenerateRequest): number {
  return options === undefined ? Math.max(numChoices, bestOf) : 1;
}
