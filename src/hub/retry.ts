/** Tries again what may pass, with growing waits. */
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../base/errors.ts";
import type { HubLimits } from "./limits.ts";
import { TransferError } from "./transfer-error.ts";

export type RetryNotice = { readonly reason: string; readonly waitMs: number };

export type RetryOptions = {
  readonly limits: HubLimits;
  readonly signal: AbortSignal;
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  /** How far the work has come, in any unit; a try that moved it does not count as failed. */
  readonly progress?: () => number;
  /** From 0 to 1; waits are spread by it, so that many clients do not come back at once. */
  readonly random?: () => number;
};

/**
 * @throws PlatformError `hub_unavailable` after `maxAttempts` tries without progress, and whatever is
 *   thrown that is not a `TransferError`
 */
export async function retrying<Value>(
  attempt: () => Promise<Value>,
  { limits, signal, onRetry, progress = () => 0, random = Math.random }: RetryOptions,
): Promise<Value> {
  let numFailures = 0;
  for (;;) {
    signal.throwIfAborted();
    const before = progress();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TransferError)) throw error;
      numFailures = progress() > before ? 1 : numFailures + 1;
      if (numFailures >= limits.maxAttempts) throw givenUp(error, numFailures);
      const waitMs = waitBefore(numFailures, error, { limits, random });
      onRetry?.({ reason: error.message, waitMs });
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** @returns milliseconds */
export function waitBefore(
  numFailures: number,
  { retryAfterMs }: Pick<TransferError, "retryAfterMs">,
  { limits, random }: { readonly limits: HubLimits; readonly random: () => number },
): number {
  const doubled = Math.min(limits.backoffMs * 2 ** (numFailures - 1), limits.maxBackoffMs);
  const backoff = Math.round(doubled * (0.75 + random() / 2));
  if (retryAfterMs === undefined) return backoff;
  return Math.min(Math.max(retryAfterMs, backoff), limits.maxRetryAfterMs);
}

/**
 * What the hub asks us to wait: `Retry-After` in seconds or as a date, else `t` of `RateLimit`.
 *
 * @returns milliseconds, not negative; `undefined` when it says nothing that can be read
 */
export function readRetryAfter(
  headers: Readonly<Record<string, string | undefined>>,
  nowMs: number,
): number | undefined {
  const text = headers["retry-after"]?.trim();
  if (text !== undefined && text !== "") {
    if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
    // `Date.parse` takes much for a date, "-5" among it.
    const date = /^[a-z]{3}, .* GMT$/i.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isFinite(date)) return Math.max(0, date - nowMs);
  }
  const reset = /(?:^|;)\s*t=(\d{1,9})\b/.exec(headers["ratelimit"] ?? "");
  return reset === null ? undefined : Number(reset[1]) * 1_000;
}

function givenUp(error: TransferError, numFailures: number): PlatformError {
  const tries = numFailures === 1 ? "once" : `${numFailures} times`;
  return new PlatformError("hub_unavailable", `${error.message}; tried ${tries}.`, {
    cause: error,
  });
}
