/** The part that both generating routes share: parse, check, ask the router, answer or stream. */
import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Logger } from "../../../base/logger.ts";
import type { GenerateEvent } from "../../../generation/event.ts";
import type { GenerateRequest } from "../../../generation/request.ts";
import type { DefaultSampling } from "../../../supervisor/default-sampling.ts";
import type { Router } from "../../../supervisor/router.ts";
import { abortedByClient } from "../../abort.ts";
import { checkFields, ignoredFieldsHeader, type UnsupportedFields } from "../../known-fields.ts";
import { parse } from "../../parse.ts";
import { sendEventStream } from "../../sse.ts";
import { type Answer, type AnswerHead, collectAnswer } from "./answer.ts";
import { settle } from "./settle.ts";

type GeneratingBody = {
  readonly [field: string]: unknown;
  readonly model: string;
  readonly stream?: boolean | null | undefined;
  readonly stream_options?:
    | { readonly include_usage?: boolean | null | undefined }
    | null
    | undefined;
};

/** One dialect's words for one route. */
export type Dialect<Body extends GeneratingBody> = {
  readonly schema: z.ZodObject & z.ZodType<Body>;
  readonly unsupported: UnsupportedFields;
  /** Names of fields further inside that nothing reads. */
  readonly ignoredInside: (body: Body) => readonly string[];
  readonly idPrefix: string;
  readonly toRequest: (body: Body, defaults: DefaultSampling) => GenerateRequest;
  readonly toReply: (answer: Answer, head: AnswerHead, request: GenerateRequest) => object;
  readonly toChunks: (
    events: AsyncIterable<GenerateEvent>,
    head: AnswerHead,
    options: { readonly request: GenerateRequest; readonly includeUsage: boolean },
  ) => AsyncIterable<object>;
};

/** What a generating route needs. */
export type GeneratingServices = { readonly router: Router; readonly log: Logger };

/** Answer one request, whole or as a stream. */
export async function answer<Body extends GeneratingBody>(
  http: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  { router, log }: GeneratingServices,
  dialect: Dialect<Body>,
): Promise<object> {
  const { request: httpRequest, reply } = http;
  const body = parse(dialect.schema, httpRequest.body);
  const ignored = checkFields(body, {
    known: Object.keys(dialect.schema.shape),
    unsupported: dialect.unsupported,
  });
  ignored.push(...dialect.ignoredInside(body));
  if (ignored.length > 0) reply.header("x-ignored-fields", ignoredFieldsHeader(ignored));

  const request = dialect.toRequest(body, router.defaultsOf(body.model));
  const head = {
    id: `${dialect.idPrefix}${randomUUID()}`,
    created: Math.floor(Date.now() / 1_000),
    model: body.model,
  };
  const signal = abortedByClient(reply);
  const events = router.generate(body.model, request, { signal });
  if (body.stream !== true) {
    return dialect.toReply(await collectAnswer(events, request), head, request);
  }
  const includeUsage = body.stream_options?.include_usage === true;
  const chunks = dialect.toChunks(await settle(events, { signal }), head, {
    request,
    includeUsage,
  });
  return sendEventStream(reply, chunks, log);
}
