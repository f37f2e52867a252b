/** `POST /api/chat` and `POST /api/generate`: an answer in one object, or a line at a time. */
import {
  type OllamaGenerateRequest as GenerateBody,
  OllamaChatRequest,
  OllamaGenerateRequest,
} from "@atalaya/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { PlatformError } from "../../../base/errors.ts";
import { allows } from "../../../identity/permissions.ts";
import type { ModelFacts } from "../../../supervisor/router.ts";
import { collectAnswer, settled, startAnswer, wakeAllowed } from "../../answer.ts";
import type { App } from "../../http.ts";
import { checkFields, listIgnored, type UnsupportedFields } from "../../known-fields.ts";
import { httpLimits } from "../../limits.ts";
import { refuseOtherModels } from "../../models-of-others.ts";
import { sendLines } from "../../ndjson.ts";
import { parse } from "../../parse.ts";
import { ollamaErrors, toOllamaError } from "./errors.ts";
import { generatingHints, unsupportedByChat, unsupportedByGenerate } from "./fields.ts";
import { type KeepAlive, parseKeepAlive } from "./keep-alive.ts";
import { nameIn, type OllamaServices } from "./names.ts";
import { fromOllamaChat, fromOllamaGenerate, type Translated } from "./to-generate-request.ts";
import {
  AnswerClock,
  type AnswerForm,
  type AnswerHead,
  chatForm,
  generateForm,
  timed,
  toOllamaAnswer,
  toOllamaLines,
  withoutAnswer,
} from "./to-ollama.ts";

type GeneratingBody = Pick<
  GenerateBody,
  "model" | "name" | "stream" | "keep_alive" | "logprobs"
> & { readonly [field: string]: unknown };

/** What tells the two routes apart. */
type Kind<Body extends GeneratingBody> = {
  readonly schema: z.ZodObject & z.ZodType<Body>;
  readonly unsupported: UnsupportedFields;
  readonly form: AnswerForm;
  /** Without a question a request only loads the model, or frees it. */
  readonly isQuestion: (body: Body) => boolean;
  readonly translate: (body: Body, about: ModelFacts) => Translated;
};

const chat: Kind<OllamaChatRequest> = {
  schema: OllamaChatRequest,
  unsupported: unsupportedByChat,
  form: chatForm,
  isQuestion: ({ messages }) => (messages ?? []).length > 0,
  translate: fromOllamaChat,
};

const generate: Kind<OllamaGenerateRequest> = {
  schema: OllamaGenerateRequest,
  unsupported: unsupportedByGenerate,
  form: generateForm,
  isQuestion: ({ prompt, images }) => (prompt ?? "") !== "" || (images ?? []).length > 0,
  translate: fromOllamaGenerate,
};

export function generateAndChat(app: App, services: OllamaServices): void {
  const options = {
    bodyLimit: httpLimits.pictureBodyBytes,
    errorHandler: ollamaErrors(services.log),
  };
  app.post(
    "/api/chat",
    options,
    async (request, reply) => await answer({ request, reply }, services, chat),
  );
  app.post(
    "/api/generate",
    options,
    async (request, reply) => await answer({ request, reply }, services, generate),
  );
}

async function answer<Body extends GeneratingBody>(
  http: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  services: OllamaServices,
  kind: Kind<Body>,
): Promise<object> {
  const { request: httpRequest, reply } = http;
  const body = parse(kind.schema, httpRequest.body);
  const ignored = checkFields(body, {
    known: Object.keys(kind.schema.shape),
    unsupported: kind.unsupported,
    hints: generatingHints,
  });
  const model = nameIn(body);
  const keepAlive = keepAliveOf(body, httpRequest, ignored);
  listIgnored(reply, ignored);
  const head: AnswerHead = {
    model,
    form: kind.form,
    wantsLogprobs: body.logprobs === true,
    clock: new AnswerClock(),
  };
  if (!kind.isQuestion(body) && keepAlive === 0) {
    if (services.resting.find(model) === undefined) {
      const { uid } = services.supervisor.get(model);
      refuseOtherModels(uid, httpRequest.principal);
      await services.resting.rest(uid);
    }
    return withoutAnswer(head, "unload");
  }
  const uid = await load(model, reply, services);
  head.clock.loaded();
  if (!kind.isQuestion(body)) {
    afterwards(uid, keepAlive, services);
    return withoutAnswer(head, "load");
  }

  const { request, ignoredFields } = kind.translate(body, services.router.about(uid));
  const started = startAnswer(
    { model: uid, request, ignoredFields: [...ignored, ...ignoredFields] },
    reply,
    services,
  );
  reply.raw.once("close", () => afterwards(uid, keepAlive, services));
  const onTheClock = { ...started, events: timed(started.events, head.clock) };
  if (body.stream === false) return toOllamaAnswer(await collectAnswer(onTheClock), head);
  const lines = toOllamaLines(await settled(onTheClock), head, started.receipt);
  return sendLines(reply, lines, (error) => toOllamaError(error, services.log));
}

/** How long a model stays is for whoever may launch and free models; anybody else has not said it. */
function keepAliveOf(
  body: GeneratingBody,
  { principal }: FastifyRequest,
  ignored: string[],
): KeepAlive {
  const wanted = parseKeepAlive(body.keep_alive);
  if (wanted === undefined || allows(principal.permissions, "models:write")) return wanted;
  ignored.push("keep_alive");
  return undefined;
}

/** Ollama's clients expect a model that is named to be loaded, however long that takes. */
async function load(
  name: string,
  reply: FastifyReply,
  { supervisor, resting }: OllamaServices,
): Promise<string> {
  await wakeAllowed(name, reply, resting);
  const { uid } = supervisor.get(name);
  refuseOtherModels(uid, reply.request.principal);
  const instance = await supervisor.whenSettled(uid);
  if (instance.state === "failed") {
    throw new PlatformError(
      instance.error.code,
      `The model "${uid}" could not be loaded: ${instance.error.message}`,
    );
  }
  return uid;
}

/** The wish of the latest request counts; one that says nothing leaves an earlier wish, counted anew. */
function afterwards(uid: string, keepAlive: KeepAlive, { resting, log }: OllamaServices): void {
  if (keepAlive === 0) {
    resting.rest(uid).catch((error: unknown) => log.debug({ err: error }, "model-not-freed"));
  } else if (keepAlive === "forever") resting.stayAwake(uid);
  else if (keepAlive !== undefined) resting.restAfter(uid, keepAlive);
  else resting.askedAgain(uid);
}
