/** `client.responses`: ask in OpenAI's newer form, and what becomes of a response afterwards. */
import type {
  ResponseDeleted,
  ResponseEvent,
  ResponseItemList,
  ResponseObject,
  ResponseStoredItem,
  ResponsesRequest,
} from "@atalaya/protocol";
import type { CallOptions, Transport } from "./transport.ts";

export class Responses {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @throws ApiError */
  async create(body: ResponsesRequest, options: CallOptions = {}): Promise<ResponseObject> {
    return await this.#transport.call("POST", "/v1/responses", { ...options, body });
  }

  /**
   * As it comes. Leaving the loop, or aborting `signal`, stops the work.
   *
   * @throws ApiError also in the middle
   */
  async *stream(
    body: ResponsesRequest,
    options: CallOptions = {},
  ): AsyncGenerator<ResponseEvent, void> {
    yield* this.#transport.events<ResponseEvent>(
      "/v1/responses",
      { ...options, body: { ...body, stream: true } },
      ({ type }) => type === "response.completed" || type === "response.incomplete",
    );
  }

  /** @throws ApiError `not_found` */
  async get(id: string, options: CallOptions = {}): Promise<ResponseObject> {
    return await this.#transport.call("GET", pathOf(id), options);
  }

  /** @throws ApiError `not_found`, `invalid_request` when it has ended */
  async cancel(id: string, options: CallOptions = {}): Promise<ResponseObject> {
    return await this.#transport.call("POST", `${pathOf(id)}/cancel`, options);
  }

  /** @throws ApiError `not_found` */
  async delete(id: string, options: CallOptions = {}): Promise<ResponseDeleted> {
    return await this.#transport.call("DELETE", pathOf(id), options);
  }

  /**
   * All that it was told, in order, page by page.
   *
   * @throws ApiError `not_found`
   */
  async *inputItems(
    id: string,
    options: CallOptions = {},
  ): AsyncGenerator<ResponseStoredItem, void> {
    for (let after = ""; ; ) {
      const page: ResponseItemList = await this.#transport.call(
        "GET",
        `${pathOf(id)}/input_items?order=asc&limit=100${after}`,
        options,
      );
      yield* page.data;
      if (!page.has_more || page.last_id === null) return;
      after = `&after=${encodeURIComponent(page.last_id)}`;
    }
  }
}

function pathOf(id: string): string {
  return `/v1/responses/${encodeURIComponent(id)}`;
}
