/**
 * Every error we mean to show somebody: one class, one table.
 *
 * The code is the contract (API, docs, tests); the wording is not.
 */
type ErrorTraits = {
  /** What the HTTP API answers. */
  readonly status: number;
  /** What the CLI exits with. */
  readonly exitCode: number;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
};

export const errorTraits = {
  // The caller asked for something that cannot be.
  invalid_request: { status: 400, exitCode: 2, retryable: false },
  unsupported_parameter: { status: 400, exitCode: 2, retryable: false },
  unsupported_operation: { status: 400, exitCode: 2, retryable: false },
  context_length_exceeded: { status: 400, exitCode: 2, retryable: false },
  invalid_image: { status: 400, exitCode: 2, retryable: false },
  url_not_allowed: { status: 400, exitCode: 2, retryable: false },
  unsupported_url_scheme: { status: 400, exitCode: 2, retryable: false },
  image_not_fetched: { status: 400, exitCode: 2, retryable: false },
  unauthenticated: { status: 401, exitCode: 77, retryable: false },
  forbidden: { status: 403, exitCode: 77, retryable: false },
  password_change_required: { status: 403, exitCode: 77, retryable: false },
  model_not_found: { status: 404, exitCode: 66, retryable: false },
  not_found: { status: 404, exitCode: 66, retryable: false },
  gated_repository: { status: 403, exitCode: 77, retryable: false },
  hub_unauthorized: { status: 403, exitCode: 77, retryable: false },
  unsafe_weights_format: { status: 400, exitCode: 65, retryable: false },
  model_already_launched: { status: 409, exitCode: 73, retryable: false },
  model_already_registered: { status: 409, exitCode: 73, retryable: false },
  address_in_use: { status: 409, exitCode: 73, retryable: false },
  already_exists: { status: 409, exitCode: 73, retryable: false },
  state_in_use: { status: 409, exitCode: 73, retryable: false },
  // We cannot do it now.
  rate_limited: { status: 429, exitCode: 75, retryable: true },
  queue_full: { status: 429, exitCode: 75, retryable: true },
  out_of_memory: { status: 503, exitCode: 75, retryable: true },
  model_not_ready: { status: 503, exitCode: 75, retryable: true },
  file_too_large: { status: 413, exitCode: 2, retryable: false },
  disk_full: { status: 507, exitCode: 74, retryable: false },
  cache_unusable: { status: 500, exitCode: 73, retryable: false },
  state_unusable: { status: 500, exitCode: 73, retryable: false },
  // Something we lean on failed.
  hub_unavailable: { status: 502, exitCode: 69, retryable: true },
  invalid_hub_answer: { status: 502, exitCode: 76, retryable: false },
  checksum_mismatch: { status: 502, exitCode: 65, retryable: true },
  worker_failed: { status: 502, exitCode: 69, retryable: true },
  worker_timed_out: { status: 504, exitCode: 69, retryable: true },
  corrupt_model_file: { status: 500, exitCode: 65, retryable: false },
  environment_failed: { status: 502, exitCode: 69, retryable: true },
  engine_unavailable: { status: 501, exitCode: 69, retryable: false },
  // Nobody's fault, and ours.
  cancelled: { status: 499, exitCode: 130, retryable: false },
  internal: { status: 500, exitCode: 70, retryable: false },
} as const satisfies Record<string, ErrorTraits>;

export type ErrorCode = keyof typeof errorTraits;

/** Every error we mean to show somebody. Anything else that is thrown is a bug. */
export class PlatformError extends Error {
  override readonly name = "PlatformError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly details?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}
