/** A batch as it is kept, in our words; `server/routes/openai/batches` says them in OpenAI's. */

import type { BatchObject } from "@atalaya/protocol";
import type { Owner } from "../base/viewer.ts";

export type BatchEndpoint = BatchObject["endpoint"];

export type BatchStatus = BatchObject["status"];

export type BatchError = {
  readonly code: string;
  readonly message: string;
  /** From 1; `undefined` when it is about the whole file. */
  readonly line?: number;
};

/** When a state began, in seconds since 1970. */
export type BatchTimes = Partial<Record<Exclude<BatchStatus, "validating">, number>>;

export type BatchRecord = {
  readonly id: string;
  /** Whose lines they are: they are asked in its name. */
  readonly owner: Owner;
  readonly endpoint: BatchEndpoint;
  readonly inputFileId: string;
  readonly status: BatchStatus;
  readonly metadata: Readonly<Record<string, string>>;
  /** Why it failed, when its input cannot be used. */
  readonly errors: readonly BatchError[];
  readonly total: number;
  /** As of the end; while it runs they are counted. */
  readonly completed: number;
  readonly failed: number;
  /** Chosen when they begin to be written. */
  readonly outputFileId?: string;
  readonly errorFileId?: string;
  /** How long those are kept. */
  readonly outputExpiresAfterSeconds?: number | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly times: BatchTimes;
};

const finished: ReadonlySet<BatchStatus> = new Set(["completed", "failed", "expired", "cancelled"]);

export function isFinished({ status }: Pick<BatchRecord, "status">): boolean {
  return finished.has(status);
}

/** The record in its next state, with the time it began. */
export function inState(record: BatchRecord, status: BatchStatus, atSeconds: number): BatchRecord {
  const times = status === "validating" ? record.times : { ...record.times, [status]: atSeconds };
  return { ...record, status, times };
}
