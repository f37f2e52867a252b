/** Pages of other origins that the operator named may ask; their browsers are told so, and no others. */
import type { FastifyRequest } from "fastify";
import type { App } from "./http.ts";

const allowedHeaders =
  "authorization, content-type, x-api-key, api-key, x-request-id, anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access, openai-organization, openai-project";

/** @param origins exact, such as `https://chat.example.org` */
export function answerNamedOrigins(app: App, origins: ReadonlySet<string>): void {
  if (origins.size === 0) return;
  app.addHook("onRequest", async (request, reply) => {
    reply.header("vary", "Origin");
    const { origin } = request.headers;
    if (origin === undefined || !origins.has(origin.toLowerCase())) return;
    // No credentials: a browser sends none by itself, and keys are put there by the page.
    reply.header("access-control-allow-origin", origin);
    reply.header("access-control-expose-headers", "x-request-id, x-ignored-fields, retry-after");
    if (!isPreflight(request)) return;
    return await reply
      .header("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE")
      .header("access-control-allow-headers", allowedHeaders)
      .header("access-control-max-age", "600")
      .code(204)
      .send();
  });
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}
