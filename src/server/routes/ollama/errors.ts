/** Errors in Ollama's form: its clients print whatever `error` is, so it must be text. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../../../base/logger.ts";
import { toHttpError } from "../../error-reply.ts";
import { forEyesOf } from "../../models-of-others.ts";

export type OllamaError = { readonly error: string; readonly code: string };

export function toOllamaError(error: unknown, log: Logger): OllamaError {
  const { message, code } = toHttpError(error, log).body.error;
  return { error: message, code };
}

/** What a route of this dialect answers when it throws. */
export function ollamaErrors(log: Logger) {
  return (error: unknown, _request: FastifyRequest, reply: FastifyReply): void => {
    void sendOllamaError(reply, error, log);
  };
}

export function sendOllamaError(reply: FastifyReply, error: unknown, log: Logger): FastifyReply {
  const { status, body, retryAfter } = toHttpError(forEyesOf(reply, error), log);
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  const { message, code } = body.error;
  return reply
    .code(status)
    .type("application/json; charset=utf-8")
    .send({ error: message, code } satisfies OllamaError);
}
