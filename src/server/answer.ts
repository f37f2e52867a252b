/** The part of answering that every dialect shares: ask the router, keep the receipt, read to the end. */
import type { AnswerReceipt } from "@atalaya/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { XinferenceEra } from "../config/settings.ts";
import type {
  FinishReason,
  GeneratedToken,
  GenerateEvent,
  OptionProbability,
  Usage,
} from "../generation/event.ts";
import type { GenerateRequest } from "../generation/request.ts";
import type { ToolCall } from "../generation/tools.ts";
import { peerKey } from "../identity/failure-throttle.ts";
import type { Principal } from "../identity/principal.ts";
import type { RestingModels } from "../supervisor/resting-models.ts";
import type { ModelFacts, Router } from "../supervisor/router.ts";
import { abortedByClient } from "./abort.ts";
import { countUsage, refuseOtherModels } from "./count-usage.ts";
import { Receipt, withReceipt } from "./receipt.ts";
import type { RunningRequest, RunningRequests } from "./running-requests.ts";
import { settle } from "./settle.ts";

/** What a generating route needs. */
export type GeneratingServices = {
  readonly router: Router;
  /** Models that come back when they are named. */
  readonly resting: RestingModels;
  readonly log: Logger;
  /** So that another call can end a request by its client's own id; without it none can. */
  readonly requests?: RunningRequests;
  /** The newer of the two generations of Xinference when absent. */
  readonly era?: XinferenceEra;
};

/** How a whole answer ends; one that was cut is thrown. */
export type WholeFinishReason = Exclude<FinishReason, "cancelled">;

export type StartedAnswer = {
  readonly events: AsyncIterable<GenerateEvent>;
  readonly receipt: Receipt;
  /** Aborts when the client hangs up. */
  readonly signal: AbortSignal;
};

export type AnswerChoice = {
  readonly text: string;
  readonly tokens: readonly GeneratedToken[];
  /** The prompt's own tokens, where they were asked for. */
  readonly prompt: readonly GeneratedToken[];
  readonly finishReason: WholeFinishReason;
  readonly stopString: string | undefined;
  readonly options?: readonly OptionProbability[];
  /** At least one; then the text is empty. */
  readonly toolCalls?: readonly ToolCall[];
};

/** The first of its choices, and all of them. */
export type Answer = AnswerChoice & {
  readonly choices: readonly AnswerChoice[];
  /** Of all choices together; the prompt counts once. */
  readonly usage: Usage;
  readonly receipt: AnswerReceipt;
};

/**
 * Put a request to a model. Nothing runs until the events are read.
 *
 * @throws PlatformError `model_not_found`, `model_not_ready`, `forbidden`, `rate_limited`
 */
export function startAnswer(
  question: {
    readonly model: string;
    readonly request: GenerateRequest;
    /** Fields that nothing read. */
    readonly ignoredFields: readonly string[];
    /** What its client calls it. */
    readonly clientId?: string | undefined;
  },
  reply: FastifyReply,
  { router, requests }: GeneratingServices,
): StartedAnswer {
  const { model, request, ignoredFields } = question;
  const { profile } = aboutAllowed(model, reply, router);
  const receipt = new Receipt({ profile, ignoredFields });
  const { clientId } = question;
  const running = clientId === undefined ? undefined : requests?.add(model, clientId);
  const hungUp = abortedByClient(reply);
  const signal = running === undefined ? hungUp : AbortSignal.any([hungUp, running.signal]);
  const answer = askModel({ model, request, signal }, reply, router);
  const events = whileRunning(withReceipt(answer, receipt, reply), running);
  return { events, receipt, signal };
}

/**
 * Put one question to a model and count what it takes; no route asks a model in any other way.
 *
 * @throws PlatformError `model_not_found`, `model_not_ready`, `forbidden`, `rate_limited`
 */
export function askModel(
  question: {
    readonly model: string;
    readonly request: GenerateRequest;
    readonly signal: AbortSignal;
  },
  reply: FastifyReply,
  router: Router,
): AsyncIterable<GenerateEvent> {
  const { model, request, signal } = question;
  aboutAllowed(model, reply, router);
  const { id: requestId, traceContext, admission, principal } = reply.request;
  const owned = ownedBy(principal, request);
  const asker = askerOf(reply.request);
  const answer = router.generate(model, owned, { signal, asker, requestId, traceContext });
  return countUsage(answer, request, admission);
}

/**
 * If a resting model has this name, load it and wait until it is ready.
 *
 * @throws PlatformError `forbidden` when this principal may not ask it, and why it cannot be loaded
 */
export async function wakeAllowed(
  name: string,
  reply: FastifyReply,
  resting: RestingModels,
): Promise<void> {
  const asleep = resting.find(name);
  if (asleep !== undefined) refuseOtherModels(asleep.uid, reply.request.principal);
  await resting.wake(name);
}

/**
 * What a dialect needs to know of a model, when whoever asks may ask it.
 *
 * @throws PlatformError `model_not_found`, `model_not_ready`, `forbidden`
 */
export function aboutAllowed(model: string, reply: FastifyReply, router: Router): ModelFacts {
  const about = router.about(model);
  refuseOtherModels(about.uid, reply.request.principal);
  return about;
}

/** Of whoever has a key or an account, pictures are kept apart from everybody else's. */
function ownedBy(principal: Principal, request: GenerateRequest): GenerateRequest {
  return principal.kind === "anonymous" ? request : { ...request, owner: principal.id };
}

/** Turns are shared out between keys and accounts, and between addresses where nobody needs a key. */
function askerOf({ principal, ip }: FastifyRequest): string {
  return principal.kind === "anonymous" ? `address ${peerKey(ip)}` : principal.id;
}

/** Pass events on while nobody aborts the request, and take it off the list at the end. */
async function* whileRunning<Event>(
  events: AsyncIterable<Event>,
  running: RunningRequest | undefined,
): AsyncGenerator<Event, void> {
  using _ = running;
  for await (const event of events) {
    running?.signal.throwIfAborted();
    yield event;
  }
}

/** Wait until a stream has begun, so that what is wrong with its request still gets a status. */
export async function settled({
  events,
  signal,
}: StartedAnswer): Promise<AsyncIterable<GenerateEvent>> {
  return await settle(events, { signal });
}

/** Read a stream of events to its end. */
export async function collectAnswer({ events, receipt }: StartedAnswer): Promise<Answer> {
  const open = new Map<number, OpenChoice>();
  const complete = new Map<number, AnswerChoice>();
  let usage: Usage | undefined;
  for await (const event of events) {
    switch (event.type) {
      case "started":
      case "image":
        break;
      case "text-delta":
        noteDelta(open, event);
        break;
      case "finish": {
        const index = event.choice ?? 0;
        const { text, tokens, prompt } = open.get(index) ?? { text: "", tokens: [], prompt: [] };
        complete.set(index, {
          text,
          tokens,
          prompt,
          finishReason: wholeFinishReason(event.reason),
          stopString: event.stopString,
          ...(event.options !== undefined && { options: event.options }),
          ...(event.toolCalls !== undefined && { toolCalls: event.toolCalls }),
        });
        usage = addUsage(usage, event.usage);
        break;
      }
      default:
        event satisfies never;
    }
  }
  const first = complete.get(0);
  if (first === undefined || usage === undefined) {
    throw new Error("the events ended without a finish");
  }
  const choices = [...complete].toSorted(([a], [b]) => a - b).map(([, choice]) => choice);
  return { ...first, choices, usage, receipt: receipt.toWire() };
}

type OpenChoice = {
  text: string;
  readonly tokens: GeneratedToken[];
  readonly prompt: GeneratedToken[];
};

function noteDelta(
  open: Map<number, OpenChoice>,
  { choice = 0, text, tokens, prompt = [] }: Extract<GenerateEvent, { type: "text-delta" }>,
): void {
  const sofar = open.get(choice) ?? { text: "", tokens: [], prompt: [] };
  open.set(choice, sofar);
  sofar.text += text;
  sofar.tokens.push(...tokens);
  sofar.prompt.push(...prompt);
}

/** The prompt is the same for all answers, and counts once. */
export function addUsage(sum: Usage | undefined, usage: Usage): Usage {
  if (sum === undefined) return usage;
  return {
    ...sum,
    completionTokens: sum.completionTokens + usage.completionTokens,
    imageTokens: Math.max(sum.imageTokens, usage.imageTokens),
    // What a later answer found there, the first one had to compute.
    cachedTokens: Math.min(sum.cachedTokens ?? 0, usage.cachedTokens ?? 0),
  };
}

/** @throws PlatformError `cancelled`: a cut answer must not look like a whole one */
export function wholeFinishReason(reason: FinishReason): WholeFinishReason {
  if (reason === "cancelled") {
    throw new PlatformError("cancelled", "The answer was cancelled before it was complete.");
  }
  return reason;
}
