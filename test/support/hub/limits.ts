/** Our client's patience, for tests. */
import { defaultLimits, type HubLimits } from "../../../src/hub/limits.ts";

/** Everything as shipped, only faster. */
export const quickLimits: HubLimits = {
  ...defaultLimits,
  stallMs: 400,
  minBytesPerStall: 64,
  backoffMs: 5,
  maxBackoffMs: 20,
  maxRetryAfterMs: 50,
};

/** Ranges at once from one megabyte on, so that small files show what large ones do. */
export const partedLimits: HubLimits = {
  ...quickLimits,
  minPartBytes: 1024 * 1024,
  syncBytes: 64 * 1024,
};
