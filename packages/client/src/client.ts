/** Talks to a running server. */
import type {
  AddReplicaReply,
  ChatCompletionChunk,
  ChatCompletionRequest,
  Completion,
  CompletionRequest,
  LaunchLine,
  LaunchReply,
  LaunchRequest,
  ModelList,
  ModelRecord,
  RemoveReplicaReply,
  ReplicaStatusRecord,
} from "@atalaya/protocol";
import { ApiError, apiErrorFrom } from "./api-error.ts";
import { parseEventStream, splitLines } from "./sse.ts";

export type ClientOptions = {
  /** Where the server is, such as `http://127.0.0.1:9997`. */
  readonly endpoint: string;
  readonly fetch?: typeof fetch;
};

type CallOptions = { readonly signal?: AbortSignal | undefined };

export class AtalayaClient {
  readonly endpoint: string;
  readonly #fetch: typeof fetch;

  constructor({ endpoint, fetch: fetchIt = fetch }: ClientOptions) {
    this.endpoint = endpoint.replace(/\/+$/, "");
    this.#fetch = fetchIt;
  }

  /** @param options.state `all` lists also what is starting, stopping or has failed */
  async listModels(
    options: CallOptions & { readonly state?: "ready" | "all" } = {},
  ): Promise<readonly ModelRecord[]> {
    const list = await this.#call<ModelList>(
      "GET",
      `/v1/models?state=${options.state ?? "ready"}`,
      options,
    );
    if (!Array.isArray(list?.data)) throw foreign(this.endpoint, "its list of models is none");
    return list.data;
  }

  /**
   * Of a model in any state.
   *
   * @throws ApiError `model_not_found`
   */
  async getModel(uid: string, options: CallOptions = {}): Promise<ModelRecord> {
    return await this.#call("GET", `/v1/models/${encodeURIComponent(uid)}?state=all`, options);
  }

  /** @param options.waitReady `false` returns as soon as loading has begun */
  async launch(
    body: LaunchRequest,
    options: CallOptions & { readonly waitReady?: boolean } = {},
  ): Promise<LaunchReply> {
    const path = `/v1/models?wait_ready=${options.waitReady ?? true}`;
    const reply = await this.#call<LaunchReply>("POST", path, { ...options, body });
    if (typeof reply?.model_uid !== "string") {
      throw foreign(this.endpoint, "it does not say what it launched");
    }
    return reply;
  }

  /**
   * How a launch goes, until it has ended: `ready`, `failed` or `terminated` is the last.
   *
   * @throws ApiError `model_not_found`, `worker_failed` when the server ends in between
   */
  async *followLaunch(uid: string, options: CallOptions = {}): AsyncGenerator<LaunchLine, void> {
    const path = `/v1/models/${encodeURIComponent(uid)}/launch`;
    const response = await this.#request("GET", path, options);
    let last: LaunchLine["type"] | undefined;
    for await (const text of splitLines(chunksOf(response))) {
      const line = parseJson(text) as LaunchLine | undefined;
      if (line === undefined) throw foreign(this.endpoint, "it sends no lines of JSON");
      last = line.type;
      yield line;
    }
    if (last === "ready" || last === "failed" || last === "terminated") return;
    throw new ApiError("The server ended in the middle of the launch.", {
      status: 0,
      code: "worker_failed",
    });
  }

  /** @throws ApiError `model_not_found` */
  async terminate(uid: string, options: CallOptions = {}): Promise<void> {
    await this.#call("DELETE", `/v1/models/${encodeURIComponent(uid)}`, options);
  }

  /** @throws ApiError `model_not_found` */
  async listReplicas(
    uid: string,
    options: CallOptions = {},
  ): Promise<readonly ReplicaStatusRecord[]> {
    return await this.#call("GET", `/v1/models/${encodeURIComponent(uid)}/replicas`, options);
  }

  /**
   * Start one more, and wait until it is ready.
   *
   * @throws ApiError `model_not_found`, `out_of_memory`, and why it could not be loaded
   */
  async addReplica(uid: string, options: CallOptions = {}): Promise<AddReplicaReply> {
    const path = `/v1/models/${encodeURIComponent(uid)}/replicas`;
    return await this.#call("POST", path, { ...options, body: {} });
  }

  /** @throws ApiError `model_not_found`, `invalid_request` */
  async removeReplica(
    uid: string,
    id: number,
    options: CallOptions = {},
  ): Promise<RemoveReplicaReply> {
    const path = `/v1/models/${encodeURIComponent(uid)}/replicas/${id}`;
    return await this.#call("DELETE", path, options);
  }

  /** End the whole server, as Ctrl-C does. */
  async stopServer(options: CallOptions = {}): Promise<void> {
    await this.#call("DELETE", "/v1/clusters", options);
  }

  /**
   * Continue a bare prompt, and read the text as it comes. Leaving the loop, or aborting `signal`, stops
   * the work.
   *
   * @throws ApiError also in the middle, when the server ends the stream with an error
   */
  async *streamCompletion(
    body: CompletionRequest,
    options: CallOptions = {},
  ): AsyncGenerator<string, void> {
    for await (const chunk of this.#stream<Completion>("/v1/completions", body, options)) {
      for (const { text } of chunk.choices) yield text;
    }
  }

  /**
   * Ask, and read the answer as it comes. Leaving the loop, or aborting `signal`, stops the work.
   *
   * @throws ApiError also in the middle, when the server ends the stream with an error
   */
  async *streamChat(
    body: ChatCompletionRequest,
    options: CallOptions = {},
  ): AsyncGenerator<ChatCompletionChunk, void> {
    yield* this.#stream<ChatCompletionChunk>("/v1/chat/completions", body, options);
  }

  async *#stream<Chunk>(
    path: string,
    body: object,
    options: CallOptions,
  ): AsyncGenerator<Chunk, void> {
    const response = await this.#request("POST", path, {
      ...options,
      body: { ...body, stream: true },
    });
    for await (const data of parseEventStream(chunksOf(response))) {
      if (data === "[DONE]") return;
      // Our own server wrote it; the types are its schema.
      const chunk = JSON.parse(data) as Chunk;
      const error = apiErrorFrom(chunk, 0);
      if (error !== undefined) throw error;
      yield chunk;
    }
    throw new ApiError("The server ended the answer before it was complete.", {
      status: 0,
      code: "worker_failed",
    });
  }

  async #call<Reply>(
    method: string,
    path: string,
    options: CallOptions & { readonly body?: unknown },
  ): Promise<Reply> {
    const response = await this.#request(method, path, options);
    const reply = parseJson(await response.text());
    if (reply === undefined)
      throw foreign(this.endpoint, "it answers with something else than JSON");
    return reply as Reply;
  }

  async #request(
    method: string,
    path: string,
    { signal, body }: CallOptions & { readonly body?: unknown },
  ): Promise<Response> {
    let response: Response;
    try {
      response = await this.#fetch(`${this.endpoint}${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
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
    if (!response.ok) throw await errorOf(response, this.endpoint);
    return response;
  }
}

async function errorOf(response: Response, endpoint: string): Promise<ApiError> {
  const body: unknown = parseJson(await response.text().catch(() => ""));
  return (
    apiErrorFrom(body, response.status) ??
    foreign(endpoint, `it answers with status ${response.status} and no reason`, response.status)
  );
}

/** Another program has the port, or a proxy stands in between. */
function foreign(endpoint: string, why: string, status = 0): ApiError {
  return new ApiError(`What answers at ${endpoint} is no Atalaya server: ${why}.`, {
    status,
    code: "foreign_server",
  });
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
