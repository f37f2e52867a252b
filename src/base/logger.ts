/** Logs are events with fields, one JSON object a line, on stderr; never a prompt, a picture or a key. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger } from "pino";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** @param stream where the lines go; stderr when absent */
export function createLogger(level: LogLevel, stream?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: ["req.headers", "*.authorization"],
    },
    // Written at once: a line that waits in memory is lost when the process ends.
    stream ?? destination({ fd: 2, sync: true }),
  );
}
