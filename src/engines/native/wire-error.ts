/** A PlatformError through gRPC and back: the code travels in the message's metadata. */
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorCode, errorTraits, PlatformError } from "../../base/errors.ts";

const CODE_HEADER = "atalaya-error-code";

/** What a worker throws to the wire. Anything that is no PlatformError keeps its text to itself. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof PlatformError) {
    // gRPC metadata is ASCII; the sentence itself may not be.
    return new ConnectError(error.message, Code.FailedPrecondition, { [CODE_HEADER]: error.code });
  }
  return new ConnectError("the worker failed", Code.Internal);
}

/** What the platform makes of it; a broken connection means that the worker is gone. */
export function fromConnectError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  if (error instanceof ConnectError) {
    const code = error.metadata.get(CODE_HEADER);
    if (code !== null && isErrorCode(code)) return new PlatformError(code, error.rawMessage);
    if (error.code === Code.Canceled)
      return new PlatformError("cancelled", "The request was cancelled.");
  }
  return new PlatformError(
    "worker_failed",
    "The engine's process ended in the middle of the answer. It is being started again; send the request once more.",
    { cause: error },
  );
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorTraits, code);
