/** `client.files` and `client.batches`: send a file, have its requests done, read what came of them. */
import type {
  BatchList,
  BatchObject,
  CreateBatchRequest,
  FileDeleted,
  FileList,
  FileObject,
} from "@atalaya/protocol";
import type { CallOptions, Transport } from "./transport.ts";

export class Files {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * @param file what `Blob` holds: in Node, `await fs.openAsBlob(path)`
   * @throws ApiError `file_too_large`, `disk_full`
   */
  async upload(
    file: Blob,
    {
      purpose,
      filename = "file",
      expiresAfterSeconds,
      ...options
    }: CallOptions & {
      readonly purpose: "batch" | "vision" | "user_data";
      /** Only shown. */
      readonly filename?: string;
      readonly expiresAfterSeconds?: number;
    },
  ): Promise<FileObject> {
    const form = new FormData();
    form.append("purpose", purpose);
    if (expiresAfterSeconds !== undefined) {
      form.append("expires_after[anchor]", "created_at");
      form.append("expires_after[seconds]", `${expiresAfterSeconds}`);
    }
    form.append("file", file, filename);
    return await this.#transport.call("POST", "/v1/files", { ...options, form });
  }

  /** The newest first, page by page. */
  async *list({
    purpose,
    ...options
  }: CallOptions & { readonly purpose?: string } = {}): AsyncGenerator<FileObject, void> {
    const wanted = purpose === undefined ? "" : `&purpose=${encodeURIComponent(purpose)}`;
    for (let after = ""; ; ) {
      const path = `/v1/files?limit=100${wanted}${after}`;
      const page: FileList = await this.#transport.call("GET", path, options);
      yield* page.data;
      if (!page.has_more || page.last_id === null) return;
      after = `&after=${encodeURIComponent(page.last_id)}`;
    }
  }

  /** @throws ApiError `not_found` */
  async get(id: string, options: CallOptions = {}): Promise<FileObject> {
    return await this.#transport.call("GET", pathOf(id), options);
  }

  /** @throws ApiError `not_found` */
  async content(id: string, options: CallOptions = {}): Promise<Blob> {
    return await (await this.#transport.request("GET", `${pathOf(id)}/content`, options)).blob();
  }

  /** @throws ApiError `not_found` */
  async delete(id: string, options: CallOptions = {}): Promise<FileDeleted> {
    return await this.#transport.call("DELETE", pathOf(id), options);
  }
}

export class Batches {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @throws ApiError `not_found` for the file, `queue_full` */
  async create(
    body: Omit<CreateBatchRequest, "completion_window">,
    options: CallOptions = {},
  ): Promise<BatchObject> {
    return await this.#transport.call("POST", "/v1/batches", {
      ...options,
      body: { ...body, completion_window: "24h" },
    });
  }

  /** @throws ApiError `not_found` */
  async get(id: string, options: CallOptions = {}): Promise<BatchObject> {
    return await this.#transport.call("GET", batchPath(id), options);
  }

  /** @throws ApiError `not_found`, `invalid_request` when it has ended */
  async cancel(id: string, options: CallOptions = {}): Promise<BatchObject> {
    return await this.#transport.call("POST", `${batchPath(id)}/cancel`, options);
  }

  /** The newest first, page by page. */
  async *list(options: CallOptions = {}): AsyncGenerator<BatchObject, void> {
    for (let after = ""; ; ) {
      const path = `/v1/batches?limit=100${after}`;
      const page: BatchList = await this.#transport.call("GET", path, options);
      yield* page.data;
      if (!page.has_more || page.last_id === null) return;
      after = `&after=${encodeURIComponent(page.last_id)}`;
    }
  }

  /**
   * Its states as they change, until it has ended.
   *
   * @throws ApiError `not_found`
   */
  async *follow(
    id: string,
    {
      everyMs = 1_000,
      ...options
    }: CallOptions & {
      /** Between two looks. */
      readonly everyMs?: number;
    } = {},
  ): AsyncGenerator<BatchObject, void> {
    for (let before = ""; ; ) {
      const batch = await this.get(id, options);
      const now = JSON.stringify(batch);
      if (now !== before) yield batch;
      if (/^(completed|failed|expired|cancelled)$/.test(batch.status)) return;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
}

function pathOf(id: string): string {
  return `/v1/files/${encodeURIComponent(id)}`;
}

function batchPath(id: string): string {
  return `/v1/batches/${encodeURIComponent(id)}`;
}
