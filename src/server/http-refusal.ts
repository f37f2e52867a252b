/**
 * A request refused by the rules of HTTP, before any model is asked.
 *
 * Everything else is a `PlatformError`, whose code knows its own status.
 */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly status: number;
  /** Seconds after which the same request may succeed. */
  readonly retryAfter: number | undefined;

  constructor(status: number, message: string, options: { readonly retryAfter?: number } = {}) {
    super(message);
    this.status = status;
    this.retryAfter = options.retryAfter;
  }
}
