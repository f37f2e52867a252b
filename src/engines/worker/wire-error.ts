/** A PlatformError through gRPC and back: the code travels in the message's metadata. */
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorCode, errorTraits, PlatformError } from "../../base/errors.ts";

const CODE_HEADER = "atalaya-error-code";

/** What a worker throws to the wire. Anything that is no PlatformError keeps its text to itself. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  // gRPC metadata is ASCII; the sentence itself may not be.
  const { code, message } = error instanceof PlatformError ? error : internalError(undefined);
  return new ConnectError(message, Code.FailedPrecondition, { [CODE_HEADER]: code });
}

/** What the worker said; `undefined` when it said nothing, because the connection to it broke. */
export function fromConnectError(error: unknown): PlatformError | undefined {
  if (error instanceof PlatformError) return error;
  if (!(error instanceof ConnectError)) return undefined;
  const code = error.metadata.get(CODE_HEADER);
  if (code !== null) {
    return isErrorCode(code) ? new PlatformError(code, error.rawMessage) : internalError(error);
  }
  return error.code === Code.Canceled
    ? new PlatformError("cancelled", "The request was cancelled.")
    : undefined;
}

/** A bug in the worker, which lives on. */
function internalError(cause: unknown): PlatformError {
  return new PlatformError(
    "worker_failed",
    "The engine failed inside itself and is still running. Send the request once more; if it fails again, report it with the server's log.",
    { cause },
  );
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorTraits, code);
