/** Requests to one server, and what can go wrong with them. */
import { ApiError, apiErrorFrom } from "./api-error.ts";
import { parseEventStream, splitLines } from "./sse.ts";

export type ClientOptions = {
  /** Where the server is, such as `http://127.0.0.1:9997`. */
  readonly endpoint: string;
  /** For a server that asks for one. */
  readonly apiKey?: string | undefined;
  readonly fetch?: typeof fetch;
};

export type CallOptions = { readonly signal?: AbortSignal | undefined };

type Sent = CallOptions & {
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly form?: FormData;
};

export class Transport {
  readonly endpoint: string;
  readonly #apiKey: string | undefined;
  readonly #fetch: typeof fetch;

  constructor({ endpoint, apiKey, fetch: fetchIt = fetch }: ClientOptions) {
    this.endpoint = endpoint.replace(/\/+$/, "");
    this.#apiKey = apiKey;
    // A browser's fetch wants to be called as its own.
    this.#fetch = (input, init) => fetchIt(input, init);
  }

  /** @throws ApiError */
  async call<Reply>(method: string, path: string, options: Sent): Promise<Reply> {
    const response = await this.request(method, path, options);
    const reply = parseJson(await response.text());
    if (reply === undefined) throw this.foreign("it answers with something else than JSON");
    // Our own server wrote it; the types are its schema.
    return reply as Reply;
  }

  /**
   * @yields the data of each event
   * @throws ApiError also in the middle, when the server ends the stream with an error or without an end
   */
  async *events<Event extends object>(
    path: string,
    options: Sent,
    isLast: (event: Event) => boolean,
  ): AsyncGenerator<Event, void> {
    const response = await this.request("POST", path, options);
    let isWhole = false;
    for await (const data of parseEventStream(chunksOf(response))) {
      if (data === "[DONE]") return;
      const event = parseJson(data) as Event | undefined;
      if (event === undefined) throw this.foreign("it sends events that are no JSON");
      const error = apiErrorFrom(event, 0);
      if (error !== undefined) throw error;
      isWhole = isLast(event);
      yield event;
    }
    if (!isWhole) throw cutOff("The server ended the answer before it was complete.");
  }

  /** @yields each line of JSON */
  async *lines<Line extends object>(path: string, options: Sent): AsyncGenerator<Line, void> {
    const response = await this.request("GET", path, options);
    for await (const text of splitLines(chunksOf(response))) {
      const line = parseJson(text) as Line | undefined;
      if (line === undefined) throw this.foreign("it sends no lines of JSON");
      yield line;
    }
  }

  /** @throws ApiError what the server refuses; `unreachable` when there is none */
  async request(method: string, path: string, { signal, body, form }: Sent): Promise<Response> {
    let response: Response;
    try {
      response = await this.#fetch(`${this.endpoint}${path}`, {
        method,
        headers: {
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(form === undefined ? {} : { body: form }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw new ApiError(`No server answers at ${this.endpoint}.`, {
        status: 0,
        code: "unreachable",
        cause: error,
      });
    }
    if (!response.ok) throw await this.#errorOf(response);
    return response;
  }

  /** Another program has the port, or a proxy stands in between. */
  foreign(why: string, status = 0): ApiError {
    return new ApiError(`What answers at ${this.endpoint} is no Atalaya server: ${why}.`, {
      status,
      code: "foreign_server",
    });
  }

  async #errorOf(response: Response): Promise<ApiError> {
    const { status } = response;
    const body: unknown = parseJson(await response.text().catch(() => ""));
    return (
      apiErrorFrom(body, status) ??
      this.foreign(`it answers with status ${status} and no reason`, status)
    );
  }
}

export function cutOff(message: string): ApiError {
  return new ApiError(message, { status: 0, code: "worker_failed" });
}

/** @returns `undefined` for what is no JSON */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The body as chunks, in a form that every browser can iterate. */
async function* chunksOf({ body }: Response): AsyncGenerator<Uint8Array, void> {
  if (body === null) return;
  const reader = body.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
