/** `/v1/batches`: a file of requests, done beside everything else within a day. */
import { z } from "zod";
import { Metadata } from "./responses.ts";

export const batchEndpoints = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/responses",
  "/v1/moderations",
] as const;

export const CreateBatchRequest = z.looseObject({
  input_file_id: z
    .string()
    .min(1)
    .max(100)
    .describe("Id of a file of the purpose `batch`, with a request a line."),
  endpoint: z.enum(batchEndpoints).describe("Route that all of its lines ask."),
  completion_window: z
    .literal("24h")
    .describe("Always `24h`: what was not reached by then has expired."),
  metadata: Metadata.nullish().describe(
    "Up to 16 notes of the caller's, which come back with the batch.",
  ),
  output_expires_after: z
    .looseObject({
      anchor: z
        .literal("created_at")
        .describe("From when the seconds count: when the file was made."),
      seconds: z.int().min(3_600).max(2_592_000).describe("Seconds, an hour to 30 days."),
    })
    .nullish()
    .describe("When the files it makes are deleted; kept when left out."),
});
export type CreateBatchRequest = z.infer<typeof CreateBatchRequest>;

export const ListBatchesQuery = z.object({
  after: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("Id of a batch: only older ones. From the newest when left out."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .describe("How many at most. 20 when left out."),
});

export type BatchObject = {
  /** Id of the batch, `batch_…`. */
  readonly id: string;
  /** Always `batch`. */
  readonly object: "batch";
  /** Route that its lines ask. */
  readonly endpoint: (typeof batchEndpoints)[number];
  /** What is wrong with its file; `null` when nothing is. */
  readonly errors: {
    /** Always `list`. */
    readonly object: "list";
    /** One for each fault, the first ones of a long file. */
    readonly data: readonly {
      /** Stable name of the fault. */
      readonly code: string;
      /** For a person: what is wrong, and what to do. */
      readonly message: string;
      /** Always `null`. */
      readonly param: null;
      /** Number of the line, from 1; `null` when it is about the whole file. */
      readonly line: number | null;
    }[];
  } | null;
  /** Id of the file it was made of. */
  readonly input_file_id: string;
  /** Always `24h`. */
  readonly completion_window: "24h";
  /** How far it is. */
  readonly status:
    | "validating"
    | "in_progress"
    | "finalizing"
    | "completed"
    | "failed"
    | "expired"
    | "cancelling"
    | "cancelled";
  /** Id of the file with the answers; `null` until it is made, or when there are none. */
  readonly output_file_id: string | null;
  /** Id of the file with the lines that failed; `null` until it is made, or when there are none. */
  readonly error_file_id: string | null;
  /** When it was made, in seconds since 1970, as all that follow. */
  readonly created_at: number;
  /** When its 24 hours are over. */
  readonly expires_at: number;
  /** When its first line began, or `null`. */
  readonly in_progress_at: number | null;
  /** When its last line had ended, or `null`. */
  readonly finalizing_at: number | null;
  /** When its files were made, or `null`. */
  readonly completed_at: number | null;
  /** When its file was found to be wrong, or `null`. */
  readonly failed_at: number | null;
  /** When it expired, or `null`. */
  readonly expired_at: number | null;
  /** When it was to be cancelled, or `null`. */
  readonly cancelling_at: number | null;
  /** When it was cancelled, or `null`. */
  readonly cancelled_at: number | null;
  /** How many lines there are. */
  readonly request_counts: {
    /** All lines of its file. */
    readonly total: number;
    /** Lines that were answered. */
    readonly completed: number;
    /** Lines that failed. */
    readonly failed: number;
  };
  /** The caller's own notes. */
  readonly metadata: Readonly<Record<string, string>>;
};

export type BatchList = {
  /** Always `list`. */
  readonly object: "list";
  /** The batches, the newest first. */
  readonly data: readonly BatchObject[];
  /** Id of the first of them, or `null`. */
  readonly first_id: string | null;
  /** Id of the last of them, for `after`, or `null`. */
  readonly last_id: string | null;
  /** Whether there are older ones. */
  readonly has_more: boolean;
};
