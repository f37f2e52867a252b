/** Talks to a running server. */
import type {
  AddReplicaReply,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ClusterAuthReply,
  Completion,
  CompletionRequest,
  HealthReply,
  LaunchLine,
  LaunchReply,
  LaunchRequest,
  LoginReply,
  ModelList,
  ModelRecord,
  ModerationReply,
  ModerationRequest,
  OwnPasswordReply,
  RemoveReplicaReply,
  ReplicaStatusRecord,
} from "@atalaya/protocol";
import { Batches, Files } from "./files.ts";
import { Responses } from "./responses.ts";
import { type CallOptions, type ClientOptions, cutOff, Transport } from "./transport.ts";

export class AtalayaClient {
  readonly responses: Responses;
  readonly files: Files;
  readonly batches: Batches;
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.responses = new Responses(this.#transport);
    this.files = new Files(this.#transport);
    this.batches = new Batches(this.#transport);
  }

  /** Without a slash at its end. */
  get endpoint(): string {
    return this.#transport.endpoint;
  }

  /** @throws ApiError `unreachable` */
  async health(options: CallOptions = {}): Promise<HealthReply> {
    return await this.#transport.call("GET", "/health", options);
  }

  /** @param options.state `all` lists also what is starting, stopping or has failed */
  async listModels(
    options: CallOptions & { readonly state?: "ready" | "all" } = {},
  ): Promise<readonly ModelRecord[]> {
    const list = await this.#transport.call<ModelList>(
      "GET",
      `/v1/models?state=${options.state ?? "ready"}`,
      options,
    );
    if (!Array.isArray(list?.data)) throw this.#transport.foreign("its list of models is none");
    return list.data;
  }

  /**
   * Of a model in any state.
   *
   * @throws ApiError `model_not_found`
   */
  async getModel(uid: string, options: CallOptions = {}): Promise<ModelRecord> {
    return await this.#transport.call(
      "GET",
      `/v1/models/${encodeURIComponent(uid)}?state=all`,
      options,
    );
  }

  /** @param options.waitReady `false` returns as soon as loading has begun */
  async launch(
    body: LaunchRequest,
    options: CallOptions & { readonly waitReady?: boolean } = {},
  ): Promise<LaunchReply> {
    const path = `/v1/models?wait_ready=${options.waitReady ?? true}`;
    const reply = await this.#transport.call<LaunchReply>("POST", path, { ...options, body });
    if (typeof reply?.model_uid !== "string") {
      throw this.#transport.foreign("it does not say what it launched");
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
    let last: LaunchLine["type"] | undefined;
    for await (const line of this.#transport.lines<LaunchLine>(path, options)) {
      last = line.type;
      yield line;
    }
    if (last === "ready" || last === "failed" || last === "terminated") return;
    throw cutOff("The server ended in the middle of the launch.");
  }

  /** @throws ApiError `model_not_found` */
  async terminate(uid: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.call("DELETE", `/v1/models/${encodeURIComponent(uid)}`, options);
  }

  /** @throws ApiError `model_not_found` */
  async listReplicas(
    uid: string,
    options: CallOptions = {},
  ): Promise<readonly ReplicaStatusRecord[]> {
    const path = `/v1/models/${encodeURIComponent(uid)}/replicas`;
    return await this.#transport.call("GET", path, options);
  }

  /**
   * Start one more, and wait until it is ready.
   *
   * @throws ApiError `model_not_found`, `out_of_memory`, and why it could not be loaded
   */
  async addReplica(uid: string, options: CallOptions = {}): Promise<AddReplicaReply> {
    const path = `/v1/models/${encodeURIComponent(uid)}/replicas`;
    return await this.#transport.call("POST", path, { ...options, body: {} });
  }

  /** @throws ApiError `model_not_found`, `invalid_request` */
  async removeReplica(
    uid: string,
    id: number,
    options: CallOptions = {},
  ): Promise<RemoveReplicaReply> {
    const path = `/v1/models/${encodeURIComponent(uid)}/replicas/${id}`;
    return await this.#transport.call("DELETE", path, options);
  }

  /** End the whole server, as Ctrl-C does. */
  async stopServer(options: CallOptions = {}): Promise<void> {
    await this.#transport.call("DELETE", "/v1/clusters", options);
  }

  /** @throws ApiError */
  async chat(body: ChatCompletionRequest, options: CallOptions = {}): Promise<ChatCompletion> {
    return await this.#transport.call("POST", "/v1/chat/completions", { ...options, body });
  }

  /** Whether the server asks for a key or a login at all. */
  async asksForKeys(options: CallOptions = {}): Promise<boolean> {
    const { auth } = await this.#transport.call<ClusterAuthReply>(
      "GET",
      "/v1/cluster/auth",
      options,
    );
    return auth;
  }

  /** @throws ApiError `unauthenticated` */
  async logIn(username: string, password: string, options: CallOptions = {}): Promise<LoginReply> {
    return await this.#transport.call("POST", "/token", {
      ...options,
      body: { username, password },
    });
  }

  /**
   * Of the account whose token this client has. All its logins end; the reply has the tokens of a new one.
   *
   * @throws ApiError `forbidden` when the old password is not right, `invalid_request` when the new one will not do
   */
  async changePassword(
    oldPassword: string,
    newPassword: string,
    options: CallOptions = {},
  ): Promise<OwnPasswordReply> {
    return await this.#transport.call("POST", "/v1/auth/password", {
      ...options,
      body: { old_password: oldPassword, new_password: newPassword },
    });
  }

  /** The token of this client counts no more. */
  async logOut(options: CallOptions = {}): Promise<void> {
    await this.#transport.call("POST", "/v1/auth/logout", { ...options, body: {} });
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
    yield* this.#transport.events<ChatCompletionChunk>(
      "/v1/chat/completions",
      { ...options, body: { ...body, stream: true } },
      () => false,
    );
  }

  /** @throws ApiError */
  async complete(body: CompletionRequest, options: CallOptions = {}): Promise<Completion> {
    return await this.#transport.call("POST", "/v1/completions", { ...options, body });
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
    const chunks = this.#transport.events<Completion>(
      "/v1/completions",
      { ...options, body: { ...body, stream: true } },
      () => false,
    );
    for await (const chunk of chunks) for (const { text } of chunk.choices) yield text;
  }

  /** @throws ApiError `model_not_found` when no guard runs */
  async moderate(body: ModerationRequest, options: CallOptions = {}): Promise<ModerationReply> {
    return await this.#transport.call("POST", "/v1/moderations", { ...options, body });
  }
}
