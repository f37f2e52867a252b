import { CompletionRequest } from "@atalaya/protocol";
import type { GeneratingServices } from "../../answer.ts";
import type { App } from "../../http.ts";
import { unsupportedByCompletions } from "../../known-fields.ts";
import { httpLimits } from "../../limits.ts";
import { answer, type Dialect } from "./generate.ts";
import { toCompletion, toCompletionChunks } from "./to-completion.ts";
import { fromCompletionRequest } from "./to-generate-request.ts";

const dialect: Dialect<CompletionRequest> = {
  schema: CompletionRequest,
  unsupported: unsupportedByCompletions,
  ignoredInside: () => [],
  idPrefix: "cmpl-",
  toRequests: fromCompletionRequest,
  toReply: toCompletion,
  toChunks: toCompletionChunks,
};

export function completions(app: App, services: GeneratingServices): void {
  app.post(
    "/v1/completions",
    { bodyLimit: httpLimits.pictureBodyBytes },
    async (request, reply) => await answer({ request, reply }, services, dialect),
  );
}
