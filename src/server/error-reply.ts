/** Any thrown thing → status and body in OpenAI's form. The single exit point for errors. */
import { randomUUID } from "node:crypto";
import type { ErrorReply } from "@atalaya/protocol";
import type { FastifyError, FastifyReply } from "fastify";
import { type ErrorCode, errorTraits, PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { forEyesOf } from "./models-of-others.ts";

export type HttpError = {
  readonly status: number;
  readonly body: ErrorReply;
  readonly retryAfter: number | undefined;
};

/** What a person outside may read about `error`; what they may not goes to the log. */
export function toHttpError(error: unknown, log: Logger): HttpError {
  if (error instanceof PlatformError) return fromPlatformError(error, log);
  if (error instanceof HttpRefusal) {
    return httpError(error.status, "invalid_request", error.message, error.retryAfter);
  }
  const refusal = isFastifyError(error) ? fastifyRefusal(error) : undefined;
  if (refusal !== undefined) return httpError(refusal.status, "invalid_request", refusal.message);
  const incident = randomUUID();
  log.error({ incident, err: error }, "bug");
  return httpError(
    500,
    "internal",
    `Something went wrong inside the server. Its log says more under the incident ${incident}.`,
  );
}

/** @param status in place of the error's own */
export function sendError(
  reply: FastifyReply,
  error: unknown,
  log: Logger,
  status?: number,
): FastifyReply {
  const shown = forEyesOf(reply, error);
  const { status: own, body, retryAfter } = toHttpError(shown, log);
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  return reply
    .code(status ?? own)
    .type("application/json; charset=utf-8")
    .send(withDetail(body, shown));
}

/** Xinference's clients look for the sentence there; where scripts look for its own words, these come first. */
export function withDetail(
  body: ErrorReply,
  error: unknown,
): ErrorReply & { readonly detail: string } {
  const { message } = body.error;
  const words = error instanceof PlatformError ? error.details["xinferenceWords"] : undefined;
  return { ...body, detail: typeof words === "string" ? `${words} ${message}` : message };
}

function fromPlatformError(error: PlatformError, log: Logger): HttpError {
  const { status, retryable } = errorTraits[error.code];
  if (status >= 500) log.warn({ code: error.code, err: error }, "request failed");
  const { param, retryAfter } = error.details;
  return httpError(
    status,
    error.code,
    error.message,
    typeof retryAfter === "number" ? retryAfter : retryable ? pauseAfter(error.code) : undefined,
    typeof param === "string" ? param : null,
  );
}

/** Seconds. A model takes a while to load: Xinference's clients are told the same. */
function pauseAfter(code: ErrorCode): number {
  return code === "model_not_ready" ? 30 : 1;
}

function httpError(
  status: number,
  code: ErrorCode,
  message: string,
  retryAfter?: number,
  param: string | null = null,
): HttpError {
  const type =
    status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error";
  return {
    status,
    body: { error: { message: withoutDirectories(message), type, param, code } },
    retryAfter,
  };
}

/**
 * Absolute paths keep their last part only: which file it is helps, where it lies is not for the
 * wire. A folder's name may be of several words. Our own routes are no secret.
 */
export function withoutDirectories(message: string): string {
  return message.replace(
    /(^|[\s"'`(=])(?:[A-Za-z]:)?[\\/](?!v1\/|health\b)(?:(?:[^\s"'`()\\/]*[^\s"'`()\\/.,:;] ){0,5}[^\s"'`()\\/]+[\\/])+/g,
    "$1",
  );
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && "code" in error && "statusCode" in error;
}

const fastifyRefusals: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE:
    "The body is larger than this route takes: 32 MiB where pictures may come, 1 MiB elsewhere.",
  FST_ERR_CTP_INVALID_MEDIA_TYPE:
    'The body must be JSON. Send it with the header "content-type: application/json".',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "The body is not as long as its Content-Length says.",
  FST_ERR_CTP_EMPTY_TYPE:
    'The body has no type. Send it with the header "content-type: application/json".',
  FST_ERR_BAD_URL: "The address has a broken percent escape.",
  FST_ERR_MAX_PARAM_LENGTH: "One part of the address is longer than any name here.",
};

function fastifyRefusal(error: FastifyError): { status: number; message: string } | undefined {
  const message = fastifyRefusals[error.code];
  const status = error.statusCode;
  return message === undefined || status === undefined ? undefined : { status, message };
}
