/** The part that both generating routes share: parse, check, ask the router, answer or stream. */
import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { GenerateEvent } from "../../../generation/event.ts";
import type { GenerateRequest } from "../../../generation/request.ts";
import type { DefaultSampling } from "../../../supervisor/default-sampling.ts";
import {
  type Answer,
  aboutAllowed,
  collectAnswer,
  type GeneratingServices,
  settled,
  startAnswers,
  wakeAllowed,
} from "../../answer.ts";
import {
  checkFields,
  generatingHints,
  ignoredIn,
  is,
  type UnsupportedFields,
} from "../../known-fields.ts";
import { parse } from "../../parse.ts";
import type { Receipt } from "../../receipt.ts";
import { sendEventStream } from "../../sse.ts";
import { withEmptyLastDelta } from "../xinference/era.ts";
import type { AnswerHead } from "./answer.ts";

type GeneratingBody = {
  readonly [field: string]: unknown;
  readonly model: string;
  readonly stream?: boolean | null | undefined;
  readonly stream_options?:
    | { readonly include_usage?: boolean | null | undefined }
    | null
    | undefined;
  readonly structured_outputs?: object | null | undefined;
};

/** One for each prompt; they differ in nothing else. */
export type Requests = readonly [GenerateRequest, ...GenerateRequest[]];

/** What an answer is shaped by. */
export type Asked<Body> = {
  readonly requests: Requests;
  readonly body: Body;
};

export type ChunkOptions<Body> = Asked<Body> & {
  /** Complete once the events have ended. */
  readonly receipt: Receipt;
  readonly includeUsage: boolean;
};

/** One dialect's words for one route. */
export type Dialect<Body extends GeneratingBody> = {
  readonly schema: z.ZodObject & z.ZodType<Body>;
  readonly unsupported: UnsupportedFields;
  /** Names of fields further inside that nothing reads. */
  readonly ignoredInside: (body: Body) => readonly string[];
  readonly idPrefix: string;
  readonly toRequests: (body: Body, defaults: DefaultSampling) => Requests;
  readonly toReply: (answer: Answer, head: AnswerHead, asked: Asked<Body>) => object;
  readonly toChunks: (
    events: AsyncIterable<GenerateEvent>,
    head: AnswerHead,
    options: ChunkOptions<Body>,
  ) => AsyncIterable<object>;
};

/** Answer one request, whole or as a stream. */
export async function answer<Body extends GeneratingBody>(
  http: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  services: GeneratingServices,
  dialect: Dialect<Body>,
): Promise<object> {
  const { request: httpRequest, reply } = http;
  const body = parse(dialect.schema, httpRequest.body);
  const ignoredFields = checkFields(body, {
    known: Object.keys(dialect.schema.shape),
    unsupported: dialect.unsupported,
    hints: generatingHints,
  });
  ignoredFields.push(...ignoredInSettings(body), ...dialect.ignoredInside(body));
  const clientId = takeRequestId(body, ignoredFields);

  const { model } = body;
  await wakeAllowed(model, reply, services.resting);
  const { defaultSampling } = aboutAllowed(model, reply, services.router);
  const requests = dialect.toRequests(body, defaultSampling);
  const head = {
    id: `${dialect.idPrefix}${randomUUID()}`,
    created: Math.floor(Date.now() / 1_000),
    model,
  };
  const started = startAnswers({ model, requests, ignoredFields, clientId }, reply, services);
  if (body.stream !== true) {
    return dialect.toReply(await collectAnswer(started), head, { requests, body });
  }
  const chunks = dialect.toChunks(await settled(started), head, {
    requests,
    body,
    receipt: started.receipt,
    includeUsage: body.stream_options?.include_usage === true,
  });
  const shown = services.era === "0.16" ? withEmptyLastDelta(chunks) : chunks;
  return sendEventStream(reply, shown, services.log);
}

/** Of the settings that are objects. */
function ignoredInSettings(body: GeneratingBody): string[] {
  const { stream_options: streaming, structured_outputs: form } = body;
  return [
    ...ignoredIn(streaming, "stream_options", {
      known: ["include_usage"],
      hints: { include_obfuscation: is(false) },
    }),
    ...ignoredIn(form, "structured_outputs", {
      known: ["json", "regex", "choice", "grammar", "json_object"],
    }),
  ];
}

/** Xinference's clients name a request, to abort it by that name. */
function takeRequestId(body: GeneratingBody, ignoredFields: string[]): string | undefined {
  const id = body["request_id"];
  if (typeof id !== "string" || id.length > 200) return undefined;
  ignoredFields.splice(
    0,
    ignoredFields.length,
    ...ignoredFields.filter((field) => field !== "request_id"),
  );
  return id;
}
