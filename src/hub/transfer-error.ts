import { PlatformError } from "../base/errors.ts";

/** A transfer that failed and may succeed when it is tried again. It never leaves this folder. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  /** What the hub asked us to wait. */
  readonly retryAfterMs: number | undefined;
  /** Whether what is there of the file must be fetched anew. */
  readonly restartsFile: boolean;

  constructor(
    message: string,
    options: {
      readonly cause?: unknown;
      readonly retryAfterMs?: number | undefined;
      readonly restartsFile?: boolean;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
    this.restartsFile = options.restartsFile ?? false;
  }
}

/** What a failed connection is called, by the codes of Node and undici. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refuses the connection",
  ECONNRESET: "cut the connection",
  EPIPE: "cut the connection",
  UND_ERR_SOCKET: "cut the connection",
  ENOTFOUND: "is not known: the name has no address",
  EAI_AGAIN: "cannot be looked up: no name server answers",
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached",
  ETIMEDOUT: "does not answer",
  UND_ERR_CONNECT_TIMEOUT: "does not answer",
  UND_ERR_HEADERS_TIMEOUT: "does not answer",
  UND_ERR_BODY_TIMEOUT: "stopped sending",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "sent a body of another length than it said",
};

/**
 * @param host as a person knows it
 * @returns a `TransferError` for what may pass; a `PlatformError` for what will not
 */
export function networkError(error: unknown, host: string): Error {
  if (error instanceof PlatformError || error instanceof TransferError) return error;
  const code = codeOf(error);
  if (isCertificateProblem(code)) {
    return new PlatformError(
      "hub_unavailable",
      `The certificate of ${host} cannot be trusted (${code}). If a proxy of yours signs it, name its authority's file in NODE_EXTRA_CA_CERTS.`,
      { cause: error },
    );
  }
  const reason = reasons[code] ?? `cannot be asked (${code})`;
  return new TransferError(`${host} ${reason}`, { cause: error });
}

function isCertificateProblem(code: string): boolean {
  return /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|ERR_SSL)/.test(code);
}

/** The code of an error or of what is behind it; several addresses fail as one `AggregateError`. */
function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
    if (at instanceof AggregateError && at.errors.length > 0) return codeOf(at.errors[0]);
  }
  return error instanceof Error ? error.name : "unknown reason";
}
