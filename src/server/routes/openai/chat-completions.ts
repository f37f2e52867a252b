import { ChatCompletionRequest } from "@atalaya/protocol";
import type { GeneratingServices } from "../../answer.ts";
import type { App } from "../../http.ts";
import { unsupportedByChat } from "../../known-fields.ts";
import { httpLimits } from "../../limits.ts";
import { ignoredInTools } from "../../tool-offer.ts";
import { answer, type Dialect } from "./generate.ts";
import { toChatChunks, toChatCompletion } from "./to-chat.ts";
import { fromChatRequest, ignoredInMessages } from "./to-generate-request.ts";

const dialect: Dialect<ChatCompletionRequest> = {
  schema: ChatCompletionRequest,
  unsupported: unsupportedByChat,
  ignoredInside: (body) => [...ignoredInMessages(body.messages), ...ignoredInTools(body)],
  idPrefix: "chatcmpl-",
  toRequests: (body, defaults) => [fromChatRequest(body, defaults)],
  toReply: toChatCompletion,
  toChunks: toChatChunks,
};

export function chatCompletions(app: App, services: GeneratingServices): void {
  app.post(
    "/v1/chat/completions",
    { bodyLimit: httpLimits.pictureBodyBytes },
    async (request, reply) => await answer({ request, reply }, services, dialect),
  );
}
