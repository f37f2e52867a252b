/** `/v1/batches`: have a file of requests done, follow it, cancel it. */
import {
  type BatchList,
  type BatchObject,
  CreateBatchRequest,
  ListBatchesQuery,
} from "@atalaya/protocol";
import type { BatchRecord } from "../../../../batches/batch-record.ts";
import type { BatchRunner } from "../../../../batches/batch-runner.ts";
import type { BatchStore } from "../../../../batches/batch-store.ts";
import type { App } from "../../../http.ts";
import { checkFields, listIgnored } from "../../../known-fields.ts";
import { parse } from "../../../parse.ts";

type Params = { readonly Params: { readonly id: string } };

export type BatchServices = { readonly runner: BatchRunner; readonly store: BatchStore };

export function batches(app: App, { runner, store }: BatchServices): void {
  app.post("/v1/batches", async (request, reply): Promise<BatchObject> => {
    const body = parse(CreateBatchRequest, request.body);
    const known = Object.keys(CreateBatchRequest.shape);
    const ignored = checkFields(body, { known });
    listIgnored(reply, ignored);
    const wish = {
      endpoint: body.endpoint,
      inputFileId: body.input_file_id,
      metadata: body.metadata ?? {},
      outputExpiresAfterSeconds: body.output_expires_after?.seconds,
    };
    const record = await runner.create(wish, request.viewer);
    return toBatchObject(record);
  });

  app.get("/v1/batches", async ({ query, viewer }): Promise<BatchList> => {
    const { batches: found, hasMore } = await store.list({
      ...parse(ListBatchesQuery, query),
      viewer,
    });
    const data = found.map(toBatchObject);
    return {
      object: "list",
      data,
      first_id: data.at(0)?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
      has_more: hasMore,
    };
  });

  app.get<Params>("/v1/batches/:id", async ({ params, viewer }) =>
    toBatchObject(await runner.get(params.id, viewer)),
  );

  app.post<Params>("/v1/batches/:id/cancel", async ({ params, viewer }) =>
    toBatchObject(await runner.cancel(params.id, viewer)),
  );
}

function toBatchObject(record: BatchRecord): BatchObject {
  const { times, errors, total, completed, failed } = record;
  return {
    id: record.id,
    object: "batch",
    endpoint: record.endpoint,
    errors:
      errors.length === 0
        ? null
        : {
            object: "list",
            data: errors.map(({ code, message, line }) => ({
              code,
              message,
              param: null,
              line: line ?? null,
            })),
          },
    input_file_id: record.inputFileId,
    completion_window: "24h",
    status: record.status,
    output_file_id: record.outputFileId ?? null,
    error_file_id: record.errorFileId ?? null,
    created_at: record.createdAt,
    expires_at: record.expiresAt,
    in_progress_at: times.in_progress ?? null,
    finalizing_at: times.finalizing ?? null,
    completed_at: times.completed ?? null,
    failed_at: times.failed ?? null,
    expired_at: times.expired ?? null,
    cancelling_at: times.cancelling ?? null,
    cancelled_at: times.cancelled ?? null,
    request_counts: { total, completed, failed },
    metadata: record.metadata,
  };
}
