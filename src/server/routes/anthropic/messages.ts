/** `POST /v1/messages` and `POST /v1/messages/count_tokens`, as Anthropic's clients ask. */
import { randomUUID } from "node:crypto";
import { CountTokensRequest, MessagesRequest } from "@atalaya/protocol";
import { abortedByClient } from "../../abort.ts";
import {
  aboutAllowed,
  collectAnswer,
  type GeneratingServices,
  settled,
  startAnswer,
  wakeAllowed,
} from "../../answer.ts";
import { toHttpError } from "../../error-reply.ts";
import type { App } from "../../http.ts";
import { checkFields, ignoredIn, listIgnored } from "../../known-fields.ts";
import { httpLimits } from "../../limits.ts";
import { parse } from "../../parse.ts";
import { sendNamedEvents } from "../../sse.ts";
import { anthropicErrors, toAnthropicError } from "./errors.ts";
import { messagesHints, outputHints, unsupportedByMessages } from "./fields.ts";
import { fromMessages, ignoredInMessages, toPrompt } from "./to-generate-request.ts";
import { toMessage, toMessageEvents } from "./to-message.ts";
import { ignoredInTools } from "./to-tool-offer.ts";

export function anthropic(app: App, services: GeneratingServices): void {
  const { router, resting, log } = services;
  const options = { bodyLimit: httpLimits.pictureBodyBytes, errorHandler: anthropicErrors(log) };

  app.post("/v1/messages", options, async (request, reply) => {
    const body = parse(MessagesRequest, request.body);
    const ignoredFields = ignoredBy(body, Object.keys(MessagesRequest.shape));
    const { model, max_tokens: maxTokens } = body;
    await wakeAllowed(model, reply, resting);
    const { defaultSampling } = aboutAllowed(model, reply, router);
    const question = { model, request: fromMessages(body, defaultSampling), ignoredFields };
    const id = request.id;
    const head = { id: `msg_${randomUUID()}`, model, maxTokens };
    reply.header("request-id", id);
    const started = startAnswer(question, reply, services);
    if (body.stream !== true) return toMessage(await collectAnswer(started), head);
    const events = toMessageEvents(await settled(started), head, started.receipt);
    return sendNamedEvents(reply, events, (error) => toAnthropicError(toHttpError(error, log), id));
  });

  app.post("/v1/messages/count_tokens", options, async (request, reply) => {
    const body = parse(CountTokensRequest, request.body);
    listIgnored(reply, ignoredBy(body, Object.keys(CountTokensRequest.shape)));
    await wakeAllowed(body.model, reply, resting);
    aboutAllowed(body.model, reply, router);
    const signal = abortedByClient(reply);
    reply.header("request-id", request.id);
    return { input_tokens: await router.countTokens(body.model, toPrompt(body), { signal }) };
  });
}

/** @throws PlatformError `unsupported_parameter` */
function ignoredBy(body: CountTokensRequest, known: readonly string[]): string[] {
  return [
    ...checkFields(body, { known, unsupported: unsupportedByMessages, hints: messagesHints }),
    // A model that may think as much as it likes may also not think.
    ...(body.thinking?.type === "enabled" ? ["thinking"] : []),
    ...ignoredIn(body.output_config, "output_config", { known: ["format"], hints: outputHints }),
    ...ignoredInTools(body),
    ...ignoredInMessages(body),
  ];
}
