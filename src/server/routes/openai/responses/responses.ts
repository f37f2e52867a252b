/** `POST /v1/responses`, and what becomes of a response afterwards: asked for, cancelled, deleted. */
import { randomUUID } from "node:crypto";
import {
  ListItemsQuery,
  type ResponseDeleted,
  type ResponseItemList,
  type ResponseObject,
  type ResponseStoredItem,
  ResponsesRequest,
  RetrieveResponseQuery,
} from "@atalaya/protocol";
import type { FastifyReply } from "fastify";
import { PlatformError } from "../../../../base/errors.ts";
import type { Viewer } from "../../../../base/viewer.ts";
import type { GenerateRequest } from "../../../../generation/request.ts";
import type { Router } from "../../../../supervisor/router.ts";
import { abortedByClient, abortedByServer } from "../../../abort.ts";
import { aboutAllowed, askModel, type GeneratingServices, wakeAllowed } from "../../../answer.ts";
import { toHttpError } from "../../../error-reply.ts";
import type { App } from "../../../http.ts";
import { checkFields, ignoredIn, listIgnored } from "../../../known-fields.ts";
import { httpLimits } from "../../../limits.ts";
import { parse } from "../../../parse.ts";
import { Receipt, withReceipt } from "../../../receipt.ts";
import { settle } from "../../../settle.ts";
import { sendNamedEvents } from "../../../sse.ts";
import { ignoredInResponseTools } from "../../../tool-offer.ts";
import {
  responsesHints,
  retrievalHints,
  streamHints,
  textHints,
  unsupportedByResponses,
  unsupportedByRetrieval,
} from "./fields.ts";
import { fitTurns } from "./fit-turns.ts";
import { type Following, lastResponse, withFailure } from "./follow.ts";
import type { Responses } from "./kept-responses.ts";
import { isUnderWay, type StoredResponse } from "./response-store.ts";
import {
  type Conversation,
  fromResponsesRequest,
  ignoredInItems,
  toStoredItems,
} from "./to-generate-request.ts";
import { openResponse, type ResponseHead, toResponseEvents } from "./to-response.ts";

export type ResponseServices = GeneratingServices & { readonly responses: Responses };

/** Answers that nobody waits for, at once. */
const maxInBackground = 64;

/** Responses that one conversation may go through. */
const maxEarlier = 1_024;

export function responses(app: App, services: ResponseServices): void {
  const { responses: store } = services;
  /** Those under way that can be cancelled, by id. */
  const running = new Map<string, AbortController>();

  app.post("/v1/responses", { bodyLimit: httpLimits.pictureBodyBytes }, async (request, reply) => {
    const body = parse(ResponsesRequest, request.body);
    const hold = body.background === true ? holdFor(reply) : undefined;
    try {
      return await respond({ body, reply, running, hold }, services);
    } catch (error) {
      hold?.[Symbol.dispose]();
      throw error;
    }
  });

  app.get<{ Params: { id: string } }>(
    "/v1/responses/:id",
    async ({ params, query, viewer }, reply): Promise<ResponseObject> => {
      const ignored = checkFields(parse(RetrieveResponseQuery, query), {
        known: Object.keys(RetrieveResponseQuery.shape),
        unsupported: unsupportedByRetrieval,
        hints: retrievalHints,
      });
      listIgnored(reply, ignored);
      return (await stored(store, params.id, viewer)).response;
    },
  );

  app.delete<{ Params: { id: string } }>(
    "/v1/responses/:id",
    async ({ params, viewer }): Promise<ResponseDeleted> => {
      const { response } = await stored(store, params.id, viewer);
      running.get(response.id)?.abort(cancelled());
      await store.delete(response.id, viewer);
      return { id: response.id, object: "response", deleted: true };
    },
  );

  app.post<{ Params: { id: string } }>(
    "/v1/responses/:id/cancel",
    async ({ params, viewer }): Promise<ResponseObject> => {
      const { response } = await stored(store, params.id, viewer);
      const controller = running.get(response.id);
      if (controller === undefined) {
        throw new PlatformError(
          "invalid_request",
          `The response is ${response.status} and can no longer be cancelled.`,
          { details: { param: "id" } },
        );
      }
      controller.abort(cancelled());
      const now: ResponseObject = { ...response, status: "cancelled" };
      await store.update(now);
      return now;
    },
  );

  app.get<{ Params: { id: string } }>(
    "/v1/responses/:id/input_items",
    async ({ params, query, viewer }, reply): Promise<ResponseItemList> => {
      const { after, limit, order, ...others } = parse(ListItemsQuery, query);
      listIgnored(reply, checkFields(others, { known: ["include"] }));
      const { input } = await stored(store, params.id, viewer);
      const items = order === "asc" ? input : input.toReversed();
      const start = after === undefined ? 0 : items.findIndex(({ id }) => id === after) + 1;
      const data = items.slice(start, start + limit);
      return {
        object: "list",
        data,
        first_id: data.at(0)?.id ?? null,
        last_id: data.at(-1)?.id ?? null,
        has_more: start + limit < items.length,
      };
    },
  );
}

/**
 * What nobody waits for is under way from here, before a model is woken for it, until it has ended.
 *
 * @throws PlatformError `cancelled`
 */
function holdFor({ raw, request }: FastifyReply): Disposable | undefined {
  if (raw.closed) throw new PlatformError("cancelled", "The client hung up.");
  return request.admission?.hold();
}

async function respond(
  http: {
    readonly body: ResponsesRequest;
    readonly reply: FastifyReply;
    readonly running: Map<string, AbortController>;
    /** Given up when a response in the background has ended. */
    readonly hold: Disposable | undefined;
  },
  services: ResponseServices,
): Promise<object> {
  const { body, reply, running, hold } = http;
  const { viewer } = reply.request;
  const { router, resting, responses: store, log } = services;
  const ignoredFields = [
    ...checkFields(body, {
      known: Object.keys(ResponsesRequest.shape),
      unsupported: unsupportedByResponses,
      hints: responsesHints,
    }),
    ...ignoredIn(body.text, "text", { known: ["format"], hints: textHints }),
    ...ignoredIn(body.stream_options, "stream_options", { known: [], hints: streamHints }),
    ...ignoredInItems(body.input),
    ...ignoredInResponseTools(body),
  ];
  refuseContradictions(body);
  const { model } = body;
  await wakeAllowed(model, reply, resting);
  const { profile, defaultSampling } = aboutAllowed(model, reply, router);

  const input = toStoredItems(body.input);
  const conversation = await continued(body.previous_response_id, input, { store, viewer });
  const asked = fromResponsesRequest(body, conversation, defaultSampling);
  const controller = new AbortController();
  const byOthers = body.background === true ? abortedByServer(reply) : abortedByClient(reply);
  const signal = AbortSignal.any([controller.signal, byOthers]);
  const { request, numDroppedTurns } =
    body.truncation === "auto"
      ? await truncated(asked, { model, signal, router })
      : { request: asked, numDroppedTurns: 0 };

  const head: ResponseHead = {
    id: `resp_${randomUUID()}`,
    messageId: `msg_${randomUUID()}`,
    createdAt: Math.floor(Date.now() / 1_000),
    numDroppedTurns,
  };
  const receipt = new Receipt({ profile, ignoredFields });
  const opening = openResponse(body, request, head);
  const context = {
    head,
    opening,
    receipt,
    wantsLogprobs: request.sampling.logprobs !== undefined,
  };
  const answer = askModel({ model, request, signal }, reply, router);
  const generated = withReceipt(answer, receipt, reply);
  // What is wrong with a request still gets a status, whichever way it is answered.
  const begun = await settle(generated, { signal });
  if (body.background === true && running.size >= maxInBackground) {
    controller.abort(cancelled());
    throw new PlatformError(
      "queue_full",
      `${maxInBackground} responses are under way already. Try again when one of them has ended.`,
    );
  }
  if (body.store !== false) {
    const { owner } = viewer;
    await store.put({ owner, response: opening, input }, { onDisk: body.store === true });
  }
  running.set(head.id, controller);
  signal.addEventListener("abort", () => running.delete(head.id), { once: true });
  const events = toResponseEvents(begun, context);
  const following: Following = {
    opening,
    update: async (response) => {
      if (body.store !== false) await store.update(response);
    },
    toError: (error) => toHttpError(error, log),
    onEnd: () => running.delete(head.id),
  };
  if (body.background === true) {
    // The record tells how it went; here is nobody left to tell.
    void lastResponse(events, following)
      .catch(() => undefined)
      .finally(() => hold?.[Symbol.dispose]());
    return opening;
  }
  if (body.stream === true) {
    return sendNamedEvents(reply, withFailure(events, following), (error) => {
      throw error;
    });
  }
  return await lastResponse(events, following);
}

/** @throws PlatformError `not_found`, when it is another's too */
async function stored(store: Responses, id: string, viewer: Viewer): Promise<StoredResponse> {
  const found = await store.get(id, viewer);
  if (found !== undefined) return found;
  throw new PlatformError(
    "not_found",
    'There is no such response. It was not stored, was deleted, or is no longer remembered: send "store": true to keep one.',
    { details: { param: "id" } },
  );
}

/** What may be referred to, and by whom. */
type Memory = { readonly store: Responses; readonly viewer: Viewer };

/**
 * What earlier responses were told and said, oldest first, then `input` with its references looked up.
 *
 * @throws PlatformError `not_found`, `invalid_request`
 */
async function continued(
  previousId: string | null | undefined,
  input: readonly ResponseStoredItem[],
  { store, viewer }: Memory,
): Promise<Conversation> {
  const earlier: ResponseStoredItem[][] = [];
  for (let id = previousId; id != null; ) {
    const found = await store.get(id, viewer);
    if (found === undefined) {
      throw new PlatformError(
        "not_found",
        'The response to continue is not there. It was not stored, was deleted, or is no longer remembered: send its conversation as "input".',
        { details: { param: "previous_response_id" } },
      );
    }
    const { response } = found;
    if (isUnderWay(response)) {
      throw new PlatformError(
        "invalid_request",
        "The response to continue is still under way. Wait until it has ended.",
        { details: { param: "previous_response_id" } },
      );
    }
    if (earlier.length === maxEarlier) {
      throw new PlatformError(
        "invalid_request",
        `The conversation has more than ${maxEarlier} responses. Begin another one.`,
        { details: { param: "previous_response_id" } },
      );
    }
    earlier.unshift([...(await lookedUp(found.input, { store, viewer })), ...response.output]);
    id = response.previous_response_id;
  }
  const before = earlier.flat();
  return {
    items: [...before, ...(await lookedUp(input, { store, viewer }))],
    numEarlier: before.length,
  };
}

/** @throws PlatformError `not_found` */
async function lookedUp(
  items: readonly ResponseStoredItem[],
  { store, viewer }: Memory,
): Promise<ResponseStoredItem[]> {
  const found: ResponseStoredItem[] = [];
  for (const [index, item] of items.entries()) {
    const meant = item["type"] === "item_reference" ? await store.findItem(item.id, viewer) : item;
    if (meant === undefined) {
      throw new PlatformError(
        "not_found",
        "The item that is referred to is not there: its response was not stored, was deleted, or is no longer remembered. Send the item itself.",
        { details: { param: `input[${index}].id` } },
      );
    }
    found.push(meant);
  }
  return found;
}

function refuseContradictions(body: ResponsesRequest): void {
  if (body.stream_options != null && body.stream !== true) {
    throw contradiction('"stream_options" needs "stream": true beside it.', "stream_options");
  }
  if (body.background !== true) return;
  if (body.store === false) {
    throw contradiction(
      'A response in the background is asked for later, which "store": false forbids.',
      "background",
    );
  }
  if (body.stream === true) {
    throw contradiction(
      'A response is streamed or in the background, not both. Leave out "stream" or "background".',
      "background",
    );
  }
}

/** @throws PlatformError what counting the tokens says */
async function truncated(
  request: GenerateRequest,
  {
    model,
    signal,
    router,
  }: { readonly model: string; readonly signal: AbortSignal; readonly router: Router },
): Promise<{ request: GenerateRequest; numDroppedTurns: number }> {
  const { prompt, sampling } = request;
  if (prompt.type !== "chat") return { request, numDroppedTurns: 0 };
  const { contextLength } = router.about(model);
  // Without a wish an eighth of the context is left to the answer.
  const room = contextLength - (sampling.maxTokens ?? Math.ceil(contextLength / 8));
  const messages = await fitTurns(
    prompt.messages,
    async (kept) =>
      (await router.countTokens(model, { ...prompt, messages: kept }, { signal })) <= room,
  );
  return {
    request: { ...request, prompt: { ...prompt, messages } },
    numDroppedTurns: prompt.messages.length - messages.length,
  };
}

function contradiction(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}

function cancelled(): PlatformError {
  return new PlatformError("cancelled", "The response was cancelled.");
}
