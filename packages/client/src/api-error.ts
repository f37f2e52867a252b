import type { ErrorReply } from "@atalaya/protocol";

/**
 * What the server refused, with its stable code; `unreachable` when there was no answer at all, and
 * `foreign_server` when the answer is not one of ours.
 */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** 0 when there was no answer, or when the failure came in the middle of a stream. */
  readonly status: number;
  readonly code: string;
  readonly param: string | undefined;

  constructor(
    message: string,
    options: {
      readonly status: number;
      readonly code: string;
      readonly param?: string | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.status = options.status;
    this.code = options.code;
    this.param = options.param;
  }
}

/** @returns the error that `body` tells of, if it has the form of one */
export function apiErrorFrom(body: unknown, status: number): ApiError | undefined {
  if (!isErrorReply(body)) return undefined;
  const { message, code, param } = body.error;
  return new ApiError(message, { status, code, param: param ?? undefined });
}

function isErrorReply(body: unknown): body is ErrorReply {
  if (typeof body !== "object" || body === null || !("error" in body)) return false;
  const { error } = body;
  return (
    typeof error === "object" &&
    error !== null &&
    "message" in error &&
    typeof error.message === "string" &&
    "code" in error &&
    typeof error.code === "string"
  );
}
