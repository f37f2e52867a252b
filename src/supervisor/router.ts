/** Picks the instance that answers a request, and holds it while the answer lasts. */
import type { Context } from "@opentelemetry/api";
import type { ModelProfile } from "../engines/engine.ts";
import type { GenerateEvent } from "../generation/event.ts";
import type { GenerateRequest } from "../generation/request.ts";
import type { DefaultSampling } from "./default-sampling.ts";
import type { ReadyInstance } from "./instance.ts";
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

/** Which request an answer belongs to, for logs and traces alone. */
export type RequestOrigin = {
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

export class Router {
  readonly #supervisor: Supervisor;
  readonly #watch: WatchAnswer;

  constructor(supervisor: Supervisor, watch: WatchAnswer = (events) => events) {
    this.#supervisor = supervisor;
    this.#watch = watch;
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
   * Answer `request`. Leaving the loop, or aborting `signal`, stops the work.
   *
   * @throws PlatformError whatever the pipeline and the engine say, `model_not_ready` when the model
   *   is terminated under way
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
    try {
      const events = instance.pipeline.generate(engine, request, { signal: stop });
      yield* this.#watch(events, { instance, replica: () => replica, ...origin });
    } catch (error) {
      // What a cut answer throws on its way out is noise; why it was cut is not.
      throw stop.aborted ? stop.reason : error;
    }
    // An engine that was told to stop may end quietly; the caller must not take that for an answer.
    lease.signal.throwIfAborted();
  }
}
