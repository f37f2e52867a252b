/** What the HTTP side takes at most. Sizes in bytes, times in milliseconds. */
export const httpLimits = {
  /** Of ordinary JSON routes. */
  bodyBytes: 1024 * 1024,
  /** Of routes whose body may carry pictures. */
  pictureBodyBytes: 32 * 1024 * 1024,
  /** Sum over all requests whose body is in memory. */
  bodyBytesInFlight: 512 * 1024 * 1024,
  headerBytes: 16 * 1024,
  numHeaders: 100,
  urlBytes: 8 * 1024,
  headerTimeMs: 10_000,
  bodyTimeMs: 60_000,
  keepAliveMs: 5_000,
  /** How often it is looked for requests that take longer than the times above. */
  checkingIntervalMs: 500,
  jsonDepth: 64,
  /** Keys of one object, and items of one list. */
  jsonBreadth: 10_000,
  /** A silent stream says so this often, so that nobody in between takes it for dead. */
  heartbeatMs: 10_000,
  /** A reader who takes nothing for this long has lost the stream. */
  noProgressMs: 30_000,
} as const;
