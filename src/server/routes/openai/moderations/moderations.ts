/** `POST /v1/moderations`: Llama Guard is asked about a text, a picture, or both. */
import { randomUUID } from "node:crypto";
import { type ModerationReply, ModerationRequest, type ModerationResult } from "@atalaya/protocol";
import type { FastifyReply } from "fastify";
import { PlatformError } from "../../../../base/errors.ts";
import type { GeneratedToken } from "../../../../generation/event.ts";
import type { RawPrompt, SamplingParams } from "../../../../generation/request.ts";
import type { Supervisor } from "../../../../supervisor/supervisor.ts";
import { abortedByClient } from "../../../abort.ts";
import { askModel, type GeneratingServices, wakeAllowed } from "../../../answer.ts";
import type { App } from "../../../http.ts";
import { checkFields, listIgnored } from "../../../known-fields.ts";
import { httpLimits } from "../../../limits.ts";
import { mayAsk, refuseOtherModels } from "../../../models-of-others.ts";
import { parse } from "../../../parse.ts";
import { imageFromPart, isTextPart } from "../../../picture-part.ts";
import { type GuardInput, guardPrompt } from "./guard-prompt.ts";
import { hazardScores, namedHazards, unsafeProbability } from "./read-verdict.ts";
import { toModerationResult, type Verdict } from "./to-result.ts";

export type ModerationServices = GeneratingServices & { readonly supervisor: Supervisor };

const guardName = "llama-guard-3-11b-vision";

/** A verdict and all codes there are, with commas. */
const maxVerdictTokens = 64;

/** What is less likely than this to be unsafe is not asked which hazard it would be. */
const smallestDoubt = 0.01;

export function moderations(app: App, services: ModerationServices): void {
  app.post(
    "/v1/moderations",
    { bodyLimit: httpLimits.pictureBodyBytes },
    async (request, reply): Promise<ModerationReply> => {
      const body = parse(ModerationRequest, request.body);
      const known = Object.keys(ModerationRequest.shape);
      const ignored = checkFields(body, { known });
      listIgnored(reply, ignored);
      const inputs = toInputs(body.input);
      const model = await guardFor(body.model ?? undefined, reply, services);
      const signal = abortedByClient(reply);
      const results: ModerationResult[] = [];
      // One after the other: a long list must not take the queue from everybody else.
      for (const input of inputs) {
        const verdict = await judge(input, { model, services, reply, signal });
        results.push(toModerationResult(verdict, input));
      }
      return { id: `modr-${randomUUID()}`, model, results };
    },
  );
}

/**
 * The uid of the guard to ask.
 *
 * @throws PlatformError `model_not_found` when none runs, `invalid_request` when the model is no guard
 */
async function guardFor(
  wanted: string | undefined,
  reply: FastifyReply,
  { supervisor, resting }: ModerationServices,
): Promise<string> {
  const { principal } = reply.request;
  const isOurGuard = (model: { readonly uid: string; readonly modelName: string }): boolean =>
    isGuard(model.modelName) && mayAsk(model.uid, principal);
  // OpenAI's clients name OpenAI's models.
  if (wanted !== undefined && !/^(omni|text)-moderation-/.test(wanted)) {
    await wakeAllowed(wanted, reply, resting);
    const { uid, modelName } = supervisor.get(wanted);
    refuseOtherModels(uid, principal);
    if (isGuard(modelName)) return uid;
    throw new PlatformError(
      "invalid_request",
      `The model "${uid}" is ${modelName}, which answers questions and judges nothing. Launch a guard with atalaya launch ${guardName}, and name it here.`,
      { details: { param: "model" } },
    );
  }
  const running = supervisor.list().find(isOurGuard);
  if (running !== undefined) return running.uid;
  const asleep = resting.list().find(isOurGuard);
  if (asleep !== undefined) {
    await wakeAllowed(asleep.uid, reply, resting);
    return asleep.uid;
  }
  throw new PlatformError(
    "model_not_found",
    `No guard is running. Launch one with atalaya launch ${guardName}.`,
    { details: { param: "model" } },
  );
}

function isGuard(modelName: string): boolean {
  return /llama-?guard/i.test(modelName);
}

/** @throws PlatformError `invalid_request`, `invalid_image`, `unsupported_url_scheme` */
function toInputs(input: ModerationRequest["input"]): GuardInput[] {
  if (typeof input === "string") return [{ text: input, image: undefined }];
  const texts = input.filter((part) => typeof part === "string");
  if (texts.length > 0) return texts.map((text) => ({ text, image: undefined }));
  const parts = input.filter((part) => typeof part !== "string");
  const images = parts.flatMap((part, index) =>
    isTextPart(part) ? [] : [imageFromPart(part, `input[${index}]`)],
  );
  if (images.length > 1) {
    throw new PlatformError(
      "invalid_request",
      `The input has ${images.length} pictures; the guard looks at one at a time. Send a request for each.`,
      { details: { param: "input" } },
    );
  }
  const text = parts.flatMap((part) => (isTextPart(part) ? [part.text] : [])).join("\n\n");
  return [{ text, image: images[0] }];
}

type Asking = {
  readonly model: string;
  readonly services: ModerationServices;
  readonly reply: FastifyReply;
  readonly signal: AbortSignal;
};

/** @throws PlatformError `worker_failed` when the answer is no verdict */
async function judge(input: GuardInput, asking: Asking): Promise<Verdict> {
  const { text, tokens } = await ask(guardPrompt(input), maxVerdictTokens, asking);
  const unsafe = unsafeProbability(tokens);
  if (unsafe === undefined) {
    throw new PlatformError(
      "worker_failed",
      `The model "${asking.model}" answered with neither "safe" nor "unsafe". Check that it is Llama Guard 3 with the files it was released with.`,
    );
  }
  const named = namedHazards(text);
  if (text.trimStart().startsWith("unsafe")) {
    return { unsafeProbability: unsafe, named, scores: hazardScores(tokens) };
  }
  if (unsafe < smallestDoubt) {
    return { unsafeProbability: unsafe, named: [], scores: new Map() };
  }
  const doubt = await ask(guardPrompt(input, "unsafe\n"), maxVerdictTokens, asking);
  return { unsafeProbability: unsafe, named: [], scores: hazardScores(doubt.tokens) };
}

async function ask(
  prompt: RawPrompt,
  maxTokens: number,
  { model, services, reply, signal }: Asking,
): Promise<{ text: string; tokens: readonly GeneratedToken[] }> {
  const sampling: SamplingParams = {
    maxTokens,
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    presencePenalty: 0,
    frequencyPenalty: 0,
    repetitionPenalty: 1,
    seed: undefined,
    stop: [],
    logprobs: 20,
  };
  const question = { model, request: { prompt, sampling }, signal };
  const events = askModel(question, reply, services.router);
  const tokens: GeneratedToken[] = [];
  let text = "";
  for await (const event of events) {
    if (event.type !== "text-delta") continue;
    text += event.text;
    tokens.push(...event.tokens);
  }
  signal.throwIfAborted();
  return { text, tokens };
}
