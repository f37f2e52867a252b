/** Errors of Xinference's routes: its statuses, and its `detail` beside our `error`. */
import type { FastifyReply } from "fastify";
import { type ErrorCode, PlatformError } from "../../../base/errors.ts";
import type { Logger } from "../../../base/logger.ts";
import { toHttpError, withDetail } from "../../error-reply.ts";
import { forEyesOf } from "../../models-of-others.ts";

/** Where Xinference answers with another status than we do elsewhere. */
const statuses: Partial<Record<ErrorCode, number>> = {
  model_not_found: 400,
  model_already_launched: 400,
  model_already_registered: 400,
  engine_unavailable: 400,
};

export function sendXinferenceError(
  reply: FastifyReply,
  error: unknown,
  log: Logger,
): FastifyReply {
  const shown = forEyesOf(reply, error);
  const { status, body, retryAfter } = toHttpError(shown, log);
  const code = error instanceof PlatformError ? error.code : undefined;
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  return reply
    .code((code === undefined ? undefined : statuses[code]) ?? status)
    .type("application/json; charset=utf-8")
    .send(withDetail(body, shown));
}

/** The same refusal whose `detail` begins in Xinference's words: scripts look for them. Our own sentence stays as it is. */
export function inXinferencesWords(error: unknown, words: string): unknown {
  if (!(error instanceof PlatformError)) return error;
  const { code, message, details } = error;
  return new PlatformError(code, message, {
    cause: error,
    details: { ...details, xinferenceWords: words },
  });
}

/** Only a plain name is repeated: what was sent may be a page of text. */
export function shownName(name: string): string {
  return /^[\w.:/@+ -]{1,100}$/.test(name) ? name : "?";
}

export function notInTheList(error: unknown, uid: string): unknown {
  const isUnknown = error instanceof PlatformError && error.code === "model_not_found";
  return isUnknown
    ? inXinferencesWords(error, `Model not found in the model list, uid: ${shownName(uid)}.`)
    : error;
}
