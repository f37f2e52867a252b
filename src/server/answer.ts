/** The part of answering that every dialect shares: ask the router, keep the receipt, read to the end. */
import type { AnswerReceipt } from "@atalaya/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { sideBySide } from "../base/side-by-side.ts";
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
import { countUsage } from "./count-usage.ts";
import { refuseOtherModels } from "./models-of-others.ts";
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
  /** Which of several prompts it answers. */
  readonly promptIndex: number;
  /** What that prompt says, where it came as token ids. */
  readonly decodedPrompt?: string;
  readonly finishReason: WholeFinishReason;
  readonly stopString: string | undefined;
  readonly options?: readonly OptionProbability[];
  /** At least one; then the text is empty. */
  readonly toolCalls?: readonly ToolCall[];
};

/** The first of its choices, and all of them. */
export type Answer = AnswerChoice & {
  readonly choices: readonly AnswerChoice[];
  /** Of all choices together; each prompt counts once. */
  readonly usage: Usage;
  readonly receipt: AnswerReceipt;
};

type Question = {
  readonly model: string;
  /** Fields that nothing read. */
  readonly ignoredFields: readonly string[];
  /** What its client calls it. */
  readonly clientId?: string | undefined;
};

/**
 * Put a request to a model. Nothing runs until the events are read.
 *
 * @throws PlatformError `model_not_found`, `model_not_ready`, `forbidden`, `rate_limited`
 */
export function startAnswer(
  { request, ...question }: Question & { readonly request: GenerateRequest },
  reply: FastifyReply,
  services: GeneratingServices,
): StartedAnswer {
  return startAnswers({ ...question, requests: [request] }, reply, services);
}

/** Of one call's prompts, at the same time: a long list must not fill the model's queue. */
const maxPromptsAtOnce = 8;

/**
 * Put several prompts to a model, each with a turn of its own: of those that are asked at the same time, what
 * comes first is told first. A failure of one ends all of them.
 *
 * @param question.requests at least one, each for equally many answers
 * @throws PlatformError `model_not_found`, `model_not_ready`, `forbidden`, `rate_limited`
 */
export function startAnswers(
  question: Question & { readonly requests: readonly GenerateRequest[] },
  reply: FastifyReply,
  { router, requests: known }: GeneratingServices,
): StartedAnswer {
  const { model, requests, ignoredFields } = question;
  const { profile } = aboutAllowed(model, reply, router);
  const receipt = new Receipt({ profile, ignoredFields });
  const { clientId } = question;
  const { owner } = reply.request.viewer;
  const running = clientId === undefined ? undefined : known?.add({ owner, model, id: clientId });
  const hungUp = abortedByClient(reply);
  const signal = running === undefined ? hungUp : AbortSignal.any([hungUp, running.signal]);
  const answers = answerPrompts(requests, (request) =>
    askModel({ model, request, signal }, reply, router),
  );
  const events = whileRunning(withReceipt(answers, receipt, reply), running);
  return { events, receipt, signal };
}

function answerPrompts(
  requests: readonly GenerateRequest[],
  ask: (request: GenerateRequest) => AsyncIterable<GenerateEvent>,
): AsyncIterable<GenerateEvent> {
  const [first] = requests;
  if (first === undefined) throw new Error("there is no prompt");
  if (requests.length === 1) return ask(first);
  return answerEach(requests, ask);
}

async function* answerEach(
  requests: readonly GenerateRequest[],
  ask: (request: GenerateRequest) => AsyncIterable<GenerateEvent>,
): AsyncGenerator<GenerateEvent, void> {
  const start = (index: number): AsyncIterable<GenerateEvent> => {
    const request = requests[index];
    if (request === undefined) throw new Error(`there is no prompt ${index}`);
    return saying(`prompt[${index}]`, ask(request));
  };
  const [{ numChoices = 1 } = {}] = requests;
  const options = { width: maxPromptsAtOnce };
  for await (const { index, value: event } of sideBySide(start, requests.length, options)) {
    switch (event.type) {
      case "started":
        yield { ...event, promptIndex: index };
        break;
      case "image":
        yield event;
        break;
      case "text-delta":
      case "finish":
        yield {
          ...event,
          promptIndex: index,
          choice: index * numChoices + (event.choice ?? 0),
        };
        break;
      default:
        event satisfies never;
    }
  }
}

/** What a prompt is refused for says which one it was. */
async function* saying<Event>(
  place: string,
  events: AsyncIterable<Event>,
): AsyncGenerator<Event, void> {
  try {
    yield* events;
  } catch (error) {
    if (!(error instanceof PlatformError) || !isAboutPrompt(error)) throw error;
    const { code, message, details } = error;
    throw new PlatformError(code, `"${place}": ${message}`, { cause: error, details });
  }
}

function isAboutPrompt({ code, message }: PlatformError): boolean {
  const isRefusal = code === "invalid_request" || code === "context_length_exceeded";
  return isRefusal && !message.startsWith('"');
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
  const { id: requestId, traceContext, admission, principal, viewer } = reply.request;
  const owned = { ...ownedBy(principal, request), viewer };
  const asker = askerOf(reply.request);
  const answer = router.generate(model, owned, { signal, asker, requestId, traceContext });
  return countUsage(withReason(answer, signal), request, admission);
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
  // First, so that of a model that it may not ask nobody learns how it is.
  const uid = router.uidOf(model);
  if (uid !== undefined) refuseOtherModels(uid, reply.request.principal);
  return router.about(model);
}

/** Of whoever has a key or an account, pictures are kept apart from everybody else's. */
function ownedBy(principal: Principal, request: GenerateRequest): GenerateRequest {
  return principal.kind === "anonymous" ? request : { ...request, owner: principal.id };
}

/** Turns are shared out between keys and accounts, and between addresses where nobody needs a key. */
function askerOf({ principal, ip }: FastifyRequest): string {
  return principal.kind === "anonymous" ? `address ${peerKey(ip)}` : principal.id;
}

/** An answer that we have cut off ends with the error that says why. */
async function* withReason(
  events: AsyncIterable<GenerateEvent>,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent, void> {
  for await (const event of events) {
    const isCut = event.type === "finish" && event.reason === "cancelled";
    if (isCut && signal.reason instanceof PlatformError) throw signal.reason;
    yield event;
  }
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
  const decodedPrompts = new Map<number, string>();
  const usage = new UsageSum();
  for await (const event of events) {
    switch (event.type) {
      case "started":
        if (event.decodedText !== undefined) {
          decodedPrompts.set(event.promptIndex ?? 0, event.decodedText);
        }
        break;
      case "image":
        break;
      case "text-delta":
        noteDelta(open, event);
        break;
      case "finish": {
        const { choice: index = 0, promptIndex = 0 } = event;
        const { text, tokens, prompt } = open.get(index) ?? { text: "", tokens: [], prompt: [] };
        const decodedPrompt = decodedPrompts.get(promptIndex);
        complete.set(index, {
          text,
          tokens,
          prompt,
          promptIndex,
          ...(decodedPrompt !== undefined && { decodedPrompt }),
          finishReason: wholeFinishReason(event.reason),
          stopString: event.stopString,
          ...(event.options !== undefined && { options: event.options }),
          ...(event.toolCalls !== undefined && { toolCalls: event.toolCalls }),
        });
        usage.add(event);
        break;
      }
      default:
        event satisfies never;
    }
  }
  const first = complete.get(0);
  if (first === undefined) throw new Error("the events ended without a finish");
  const choices = [...complete].toSorted(([a], [b]) => a - b).map(([, choice]) => choice);
  return { ...first, choices, usage: usage.total, receipt: receipt.toWire() };
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

/** What several answers took together: a prompt is the same for all its answers, and counts once. */
export class UsageSum {
  readonly #byPrompt = new Map<number, Usage>();

  add({ promptIndex = 0, usage }: Extract<GenerateEvent, { type: "finish" }>): void {
    const sum = this.#byPrompt.get(promptIndex);
    this.#byPrompt.set(promptIndex, sum === undefined ? usage : withAnother(sum, usage));
  }

  get total(): Usage {
    const prompts = [...this.#byPrompt.values()];
    const sumOf = (count: (usage: Usage) => number): number =>
      prompts.reduce((sum, usage) => sum + count(usage), 0);
    return {
      promptTokens: sumOf((usage) => usage.promptTokens),
      completionTokens: sumOf((usage) => usage.completionTokens),
      imageTokens: sumOf((usage) => usage.imageTokens),
      cachedTokens: sumOf((usage) => usage.cachedTokens ?? 0),
    };
  }
}

function withAnother(sum: Usage, usage: Usage): Usage {
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
