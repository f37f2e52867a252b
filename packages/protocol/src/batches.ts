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
  input_file_id: z.string().min(1).max(100),
  endpoint: z.enum(batchEndpoints),
  completion_window: z.literal("24h"),
  metadata: Metadata.nullish(),
  /** When the files it makes are deleted; kept when left out. */
  output_expires_after: z
    .looseObject({
      anchor: z.literal("created_at"),
      seconds: z.int().min(3_600).max(2_592_000),
    })
    .nullish(),
});
export type CreateBatchRequest = z.infer<typeof CreateBatchRequest>;

export const ListBatchesQuery = z.object({
  after: z.string().min(1).max(100).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

export type BatchObject = {
  readonly id: string;
  readonly object: "batch";
  readonly endpoint: (typeof batchEndpoints)[number];
  readonly errors: {
    readonly object: "list";
    readonly data: readonly {
      readonly code: string;
      readonly message: string;
      readonly param: null;
      /** From 1. */
      readonly line: number | null;
    }[];
  } | null;
  readonly input_file_id: string;
  readonly completion_window: "24h";
  readonly status:
    | "validating"
    | "in_progress"
    | "finalizing"
    | "completed"
    | "failed"
    | "expired"
    | "cancelling"
    | "cancelled";
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  /** Seconds since 1970, as all that follow. */
  readonly created_at: number;
  readonly expires_at: number;
  readonly in_progress_at: number | null;
  readonly finalizing_at: number | null;
  readonly completed_at: number | null;
  readonly failed_at: number | null;
  readonly expired_at: number | null;
  readonly cancelling_at: number | null;
  readonly cancelled_at: number | null;
  readonly request_counts: {
    readonly total: number;
    readonly completed: number;
    readonly failed: number;
  };
  readonly metadata: Readonly<Record<string, string>>;
};

export type BatchList = {
  readonly object: "list";
  readonly data: readonly BatchObject[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
};
