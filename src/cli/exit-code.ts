/** Any thrown thing → one sentence for the person and an exit code for the program. */
import { ApiError } from "@atalaya/client";
import { CommanderError } from "commander";
import { type ErrorCode, errorTraits, PlatformError } from "../base/errors.ts";

export type Failure = {
  /** `undefined` when everything is said already. */
  readonly sentence: string | undefined;
  readonly exitCode: number;
};

/** A failure whose exit code is the command's own, whatever went wrong. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, cause: unknown) {
    super("The command failed.", { cause });
    this.exitCode = exitCode;
  }
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof CommanderError) {
    // Help and version are no failures; commander has printed the rest.
    return { sentence: undefined, exitCode: error.exitCode === 0 ? 0 : 2 };
  }
  if (error instanceof CommandFailure) {
    const { sentence, exitCode } = describeFailure(error.cause);
    // Whoever pressed Ctrl-C, or mistyped, is told so by the code.
    const isOwn = sentence === undefined;
    return { sentence, exitCode: isOwn ? exitCode : error.exitCode };
  }
  if (error instanceof PlatformError) {
    // Whoever pressed Ctrl-C knows.
    if (error.code === "cancelled")
      return { sentence: undefined, exitCode: errorTraits.cancelled.exitCode };
    return { sentence: error.message, exitCode: errorTraits[error.code].exitCode };
  }
  if (error instanceof ApiError) return describeApiError(error);
  const message = error instanceof Error ? error.message : String(error);
  return {
    sentence: `A fault in atalaya itself: ${message}. Run again with ATALAYA_LOG_LEVEL=debug to see where.`,
    exitCode: errorTraits.internal.exitCode,
  };
}

/** An error told of in a record, as if it were thrown here. */
export function remoteError({ code, message }: { code: string; message: string }): PlatformError {
  return new PlatformError(isErrorCode(code) ? code : "internal", message);
}

function describeApiError(error: ApiError): Failure {
  if (error.code === "unreachable") {
    return {
      sentence: `${error.message} Start one with: atalaya serve`,
      exitCode: errorTraits.hub_unavailable.exitCode,
    };
  }
  if (error.code === "foreign_server") {
    return {
      sentence: `${error.message} Name the server with --endpoint or ATALAYA_ENDPOINT, or start one with: atalaya serve`,
      exitCode: errorTraits.hub_unavailable.exitCode,
    };
  }
  const code = isErrorCode(error.code) ? error.code : "internal";
  return { sentence: error.message, exitCode: errorTraits[code].exitCode };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTraits, code);
}
