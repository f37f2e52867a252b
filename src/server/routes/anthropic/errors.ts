/** Errors in Anthropic's form, as a reply and as the last event of a broken stream. */
import type { AnthropicError } from "@atalaya/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../../../base/logger.ts";
import { type HttpError, toHttpError } from "../../error-reply.ts";
import { forEyesOf } from "../../models-of-others.ts";

type ErrorType = AnthropicError["error"]["type"];

const typeOfStatus: Readonly<Record<number, ErrorType>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
};

/** What a route of this dialect answers when it throws. */
export function anthropicErrors(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const httpError = toHttpError(forEyesOf(reply, error), log);
    if (httpError.retryAfter !== undefined) reply.header("retry-after", httpError.retryAfter);
    void reply
      .code(httpError.status)
      .header("request-id", request.id)
      .type("application/json; charset=utf-8")
      .send(toAnthropicError(httpError, request.id));
  };
}

export function toAnthropicError({ status, body }: HttpError, id: string): AnthropicError {
  const { message, code } = body.error;
  const type = typeOfStatus[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
  return { type: "error", error: { type, message, code }, request_id: id };
}
