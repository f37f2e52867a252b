/** How long we wait for a hub, how often we ask again, and how much of an answer we take. */

export type HubLimits = {
  /** A connection that brings fewer than `minBytesPerStall` in this time is given up. */
  readonly stallMs: number;
  readonly minBytesPerStall: number;
  /** Tries without a single new byte, before we say so. */
  readonly maxAttempts: number;
  /** The first wait before another try; each further one is twice as long, up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** A hub that asks for more patience (`Retry-After`) gets this much. */
  readonly maxRetryAfterMs: number;
  /** Bodies read at the same time, of one pull. */
  readonly maxConnections: number;
  /** A file is fetched in at most `maxParts` ranges at once, none smaller than `minPartBytes`. */
  readonly maxParts: number;
  readonly minPartBytes: number;
  /** What a part may have received and not yet put on the disk: what a crash costs. */
  readonly syncBytes: number;
};

export const defaultLimits: HubLimits = {
  stallMs: 30_000,
  minBytesPerStall: 32 * 1024,
  maxAttempts: 6,
  backoffMs: 500,
  maxBackoffMs: 15_000,
  maxRetryAfterMs: 60_000,
  maxConnections: 8,
  maxParts: 4,
  minPartBytes: 64 * 1024 * 1024,
  syncBytes: 1024 * 1024,
};

/** A listing's page of 1,000 files has 0.3 MB. */
export const MAX_JSON_BYTES = 8 * 1024 * 1024;
/** The repositories of this family have 15 to 60 files. */
export const MAX_FILES = 20_000;

/** Of such a list; a hub of our days puts a thousand files on one. */
export const MAX_PAGES = 1_000;
/** Ten times what a hub takes for one file. */
export const MAX_FILE_BYTES = 500 * 2 ** 30;
/** From the hub to a new name of the repository, and on to where the bytes lie. */
export const MAX_REDIRECTS = 3;
