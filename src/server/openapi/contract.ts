/**
 * What every route takes and answers: the page of the API is made of this table, and a test holds it
 * against the routes that there are, their checks and their answers. The schemas of bodies and queries are
 * the ones the routes parse with.
 */
import {
  AbortRequestBody,
  AddReplicaRequest,
  AuditQuery,
  AutostartRequest,
  CacheFilesQuery,
  CacheQuery,
  ChatCompletionRequest,
  ClusterInfoQuery,
  CompletionRequest,
  CountTokensRequest,
  CreateBatchRequest,
  FileUploadFields,
  InstancesQuery,
  KeyChangeRequest,
  LaunchByVersionRequest,
  LaunchQuery,
  LaunchRequest,
  ListBatchesQuery,
  ListFilesQuery,
  ListItemsQuery,
  ListModelsQuery,
  LoginRequest,
  MessagesRequest,
  ModerationRequest,
  NewKeyRequest,
  NewUserRequest,
  OllamaChatRequest,
  OllamaCopyRequest,
  OllamaGenerateRequest,
  OllamaNameRequest,
  OwnPasswordRequest,
  PastLaunchRequest,
  PermissionsRequest,
  RefreshRequest,
  RegistrationRequest,
  RegistrationsQuery,
  ResponsesRequest,
  RetrieveResponseQuery,
  SetupRequest,
  UnbanRequest,
  UserChangeRequest,
  UserPasswordRequest,
} from "@atalaya/protocol";
import type { ReplyName } from "@atalaya/protocol/replies";
import type { z } from "zod";
import { needOf } from "../route-permissions.ts";

export type Dialect = "OpenAI" | "Anthropic" | "Ollama" | "Xinference" | "Operations";

/** What a successful answer is, by its media type. */
export type Content =
  | { readonly json: ReplyName }
  /** Each event's data is JSON of this form. */
  | { readonly events: ReplyName; readonly json: ReplyName }
  /** Each line is JSON of this form; `isEither`: one object when `stream` is false. */
  | { readonly lines: ReplyName; readonly isEither?: boolean }
  | { readonly text: string }
  | { readonly bytes: true }
  | { readonly nothing: true }
  | { readonly null: true };

export type RouteContract = {
  readonly dialect: Dialect;
  readonly summary: string;
  readonly body?: z.ZodType;
  /** A form with a file beside these fields. */
  readonly form?: z.ZodType;
  readonly query?: z.ZodType;
  /** Absent: the route refuses everybody. */
  readonly reply?: Content;
  /**
   * Statuses of its own errors. Those that the server's door gives on every route (a foreign page's
   * origin, another host, too many headers) and those of bodies are added.
   */
  readonly errors: readonly number[];
};

/** A model that is not there, a full queue, a worker that failed, a model that starts, one that hangs. */
const ofModels = [404, 429, 502, 503, 504] as const;

export const contract: Readonly<Record<string, RouteContract>> = {
  "POST /v1/chat/completions": {
    dialect: "OpenAI",
    summary: "Answer a conversation, whole or as events",
    body: ChatCompletionRequest,
    reply: { json: "ChatCompletion", events: "ChatCompletionChunk" },
    errors: ofModels,
  },
  "POST /v1/completions": {
    dialect: "OpenAI",
    summary: "Continue a bare prompt, with pictures in `images`",
    body: CompletionRequest,
    reply: { json: "Completion", events: "Completion" },
    errors: ofModels,
  },
  "POST /v1/responses": {
    dialect: "OpenAI",
    summary: "Answer items: whole, as named events, or in the background",
    body: ResponsesRequest,
    reply: { json: "ResponseObject", events: "ResponseEvent" },
    errors: ofModels,
  },
  "GET /v1/responses/{id}": {
    dialect: "OpenAI",
    summary: "A response that was kept",
    query: RetrieveResponseQuery,
    reply: { json: "ResponseObject" },
    errors: [400, 404],
  },
  "DELETE /v1/responses/{id}": {
    dialect: "OpenAI",
    summary: "Forget a response",
    reply: { json: "ResponseDeleted" },
    errors: [404],
  },
  "POST /v1/responses/{id}/cancel": {
    dialect: "OpenAI",
    summary: "End a response that is under way",
    reply: { json: "ResponseObject" },
    errors: [400, 404],
  },
  "GET /v1/responses/{id}/input_items": {
    dialect: "OpenAI",
    summary: "What a response was told",
    query: ListItemsQuery,
    reply: { json: "ResponseItemList" },
    errors: [400, 404],
  },
  "GET /v1/models": {
    dialect: "OpenAI",
    summary: "What is running",
    query: ListModelsQuery,
    reply: { json: "ModelList" },
    errors: [400],
  },
  "GET /v1/models/{uid}": {
    dialect: "OpenAI",
    summary: "A running model",
    reply: { json: "ModelRecord" },
    errors: [404],
  },
  "POST /v1/files": {
    dialect: "OpenAI",
    summary: "Keep a file",
    form: FileUploadFields,
    reply: { json: "FileObject" },
    errors: [400],
  },
  "GET /v1/files": {
    dialect: "OpenAI",
    summary: "The files that are kept",
    query: ListFilesQuery,
    reply: { json: "FileList" },
    errors: [400],
  },
  "GET /v1/files/{id}": {
    dialect: "OpenAI",
    summary: "What is known of a file",
    reply: { json: "FileObject" },
    errors: [404],
  },
  "GET /v1/files/{id}/content": {
    dialect: "OpenAI",
    summary: "The bytes of a file",
    reply: { bytes: true },
    errors: [404],
  },
  "DELETE /v1/files/{id}": {
    dialect: "OpenAI",
    summary: "Delete a file",
    reply: { json: "FileDeleted" },
    errors: [404],
  },
  "POST /v1/batches": {
    dialect: "OpenAI",
    summary: "Have a file of requests done within a day",
    body: CreateBatchRequest,
    reply: { json: "BatchObject" },
    errors: [404],
  },
  "GET /v1/batches": {
    dialect: "OpenAI",
    summary: "The batches, the newest first",
    query: ListBatchesQuery,
    reply: { json: "BatchList" },
    errors: [400],
  },
  "GET /v1/batches/{id}": {
    dialect: "OpenAI",
    summary: "How far a batch is",
    reply: { json: "BatchObject" },
    errors: [404],
  },
  "POST /v1/batches/{id}/cancel": {
    dialect: "OpenAI",
    summary: "End a batch; what is done of it is kept",
    reply: { json: "BatchObject" },
    errors: [400, 404],
  },
  "POST /v1/moderations": {
    dialect: "OpenAI",
    summary: "What Llama Guard thinks of a text, a picture, or both",
    body: ModerationRequest,
    reply: { json: "ModerationReply" },
    errors: ofModels,
  },
  "POST /v1/embeddings": {
    dialect: "OpenAI",
    summary: "Refused: this family makes no embeddings",
    errors: [400],
  },
  "POST /v1/rerank": {
    dialect: "Xinference",
    summary: "Refused: this family ranks nothing",
    errors: [400],
  },
  "POST /v1/messages": {
    dialect: "Anthropic",
    summary: "Answer a conversation, whole or as events",
    body: MessagesRequest,
    reply: { json: "AnthropicAnswer", events: "AnthropicEvent" },
    errors: ofModels,
  },
  "POST /v1/messages/count_tokens": {
    dialect: "Anthropic",
    summary: "The tokens of a conversation",
    body: CountTokensRequest,
    reply: { json: "AnthropicTokenCount" },
    errors: [404, 503],
  },
  "POST /v1/models": {
    dialect: "Xinference",
    summary: "Launch a model",
    body: LaunchRequest,
    query: LaunchQuery,
    reply: { json: "LaunchReply" },
    errors: [],
  },
  "DELETE /v1/models/{uid}": {
    dialect: "Xinference",
    summary: "Terminate a model, after its answers under way",
    reply: { null: true },
    errors: [400],
  },
  "GET /v1/models/{uid}/launch": {
    dialect: "Xinference",
    summary: "How a launch goes, until it has ended",
    reply: { lines: "LaunchLine" },
    errors: [404],
  },
  "GET /v1/engines/{name}": {
    dialect: "Xinference",
    summary: "Which engines run a model of the registry here",
    reply: { json: "EnginesReply" },
    errors: [400],
  },
  "POST /v1/models/instance": {
    dialect: "Xinference",
    summary: "Launch a model by its version",
    body: LaunchByVersionRequest,
    query: LaunchQuery,
    reply: { json: "LaunchReply" },
    errors: [],
  },
  "GET /v1/models/instances": {
    dialect: "Xinference",
    summary: "How every launch is, and its replicas",
    query: InstancesQuery,
    reply: { json: "InstancesReply" },
    errors: [],
  },
  "GET /v1/models/{uid}/progress": {
    dialect: "Xinference",
    summary: "How far a launch is; of no launch, not at all",
    reply: { json: "ProgressReply" },
    errors: [],
  },
  "POST /v1/models/{uid}/cancel": {
    dialect: "Xinference",
    summary: "Give up a launch",
    reply: { null: true },
    errors: [400],
  },
  "GET /v1/models/{uid}/events": {
    dialect: "Xinference",
    summary: "What happened to a model",
    reply: { json: "ModelEventsReply" },
    errors: [],
  },
  "GET /v1/models/{uid}/replicas": {
    dialect: "Xinference",
    summary: "The replicas of a model",
    reply: { json: "ReplicasReply" },
    errors: [400],
  },
  "POST /v1/models/{uid}/replicas": {
    dialect: "Xinference",
    summary: "Run a model once more",
    body: AddReplicaRequest,
    reply: { json: "AddReplicaReply" },
    errors: [],
  },
  "DELETE /v1/models/{uid}/replicas/{replica}": {
    dialect: "Xinference",
    summary: "End one replica",
    reply: { json: "RemoveReplicaReply" },
    errors: [400],
  },
  "POST /v1/models/{uid}/requests/{request}/abort": {
    dialect: "Xinference",
    summary: "End a request by the id that its client gave it",
    body: AbortRequestBody,
    reply: { json: "AbortRequestReply" },
    errors: [],
  },
  "GET /v1/requests/{request}/progress": {
    dialect: "Xinference",
    summary: "Always 0: answers tell how far they are by themselves",
    reply: { json: "RequestProgressReply" },
    errors: [],
  },
  "GET /v1/model_registrations/{type}": {
    dialect: "Xinference",
    summary: "What can be launched by name",
    query: RegistrationsQuery,
    reply: { json: "RegistrationsReply" },
    errors: [400],
  },
  "POST /v1/model_registrations/{type}": {
    dialect: "Xinference",
    summary: "Make a model known by name",
    body: RegistrationRequest,
    reply: { null: true },
    errors: [],
  },
  "GET /v1/model_registrations/{type}/{name}": {
    dialect: "Xinference",
    summary: "What is known of a model of the registry",
    reply: { json: "DetailedRegistration" },
    errors: [400],
  },
  "DELETE /v1/model_registrations/{type}/{name}": {
    dialect: "Xinference",
    summary: "Forget a model that was registered",
    reply: { null: true },
    errors: [400],
  },
  "GET /v1/models/LLM/{name}/versions": {
    dialect: "Xinference",
    summary: "The versions of a model, and where their files are",
    reply: { json: "VersionsReply" },
    errors: [],
  },
  "GET /v1/engines/LLM/{name}": {
    dialect: "Xinference",
    summary: "Which engines run a model of the registry here",
    reply: { json: "EnginesReply" },
    errors: [400],
  },
  "GET /v1/models/families": {
    dialect: "Xinference",
    summary: "Names of models by what they can do",
    reply: { json: "FamiliesReply" },
    errors: [],
  },
  "GET /v1/models/vllm-supported": {
    dialect: "Xinference",
    summary: "Those that vLLM runs here",
    reply: { json: "FamiliesReply" },
    errors: [],
  },
  "GET /v1/models/prompts": {
    dialect: "Xinference",
    summary: "Nothing: chat templates are the checkpoints' own",
    reply: { json: "PromptsReply" },
    errors: [],
  },
  "GET /v1/cache/models": {
    dialect: "Xinference",
    summary: "Models of the registry in the hubs' caches on this machine",
    query: CacheQuery,
    reply: { json: "CachedModelsReply" },
    errors: [],
  },
  "GET /v1/cache/models/files": {
    dialect: "Xinference",
    summary: "The files of one of them",
    query: CacheFilesQuery,
    reply: { json: "CachedFilesReply" },
    errors: [400],
  },
  "DELETE /v1/cache/models": {
    dialect: "Xinference",
    summary: "Remove one of them",
    query: CacheFilesQuery,
    reply: { json: "ResultReply" },
    errors: [400],
  },
  "GET /v1/virtualenvs": {
    dialect: "Xinference",
    summary: "None: environments belong to engines here",
    reply: { json: "VirtualEnvironmentsReply" },
    errors: [],
  },
  "DELETE /v1/virtualenvs": {
    dialect: "Xinference",
    summary: "Removes none",
    reply: { json: "ResultReply" },
    errors: [],
  },
  "GET /v1/cluster/info": {
    dialect: "Xinference",
    summary: "This machine, as supervisor and as worker",
    query: ClusterInfoQuery,
    reply: { json: "ClusterInfoReply" },
    errors: [400],
  },
  "GET /v1/cluster/version": {
    dialect: "Xinference",
    summary: "The version of Xinference whose API this is",
    reply: { json: "ClusterVersionReply" },
    errors: [],
  },
  "GET /v1/cluster/devices": {
    dialect: "Xinference",
    summary: "How many graphics cards there are",
    reply: { json: "DevicesReply" },
    errors: [],
  },
  "GET /v1/cluster/ui_config": {
    dialect: "Xinference",
    summary: "What Xinference's page asks for",
    reply: { json: "UiConfigReply" },
    errors: [],
  },
  "DELETE /v1/clusters": {
    dialect: "Xinference",
    summary: "Stop the server, where it is a program of its own",
    reply: { json: "ResultReply" },
    errors: [],
  },
  "GET /v1/address": {
    dialect: "Xinference",
    summary: "The server's address",
    reply: { json: "AddressReply" },
    errors: [],
  },
  "GET /v1/supervisor": {
    dialect: "Xinference",
    summary: "The server's address, as the supervisor's",
    reply: { json: "SupervisorReply" },
    errors: [],
  },
  "GET /v1/workers": {
    dialect: "Xinference",
    summary: "This server as a worker, with its models",
    reply: { json: "WorkersReply" },
    errors: [],
  },
  "GET /status": {
    dialect: "Xinference",
    summary: "How long the server is up, and how its machine is",
    reply: { json: "StatusReply" },
    errors: [],
  },
  "POST /v1/convert_ids_to_tokens": {
    dialect: "Xinference",
    summary: "Refused: token ids stay inside",
    errors: [400],
  },
  "POST /v1/models/update_type": {
    dialect: "Xinference",
    summary: "Refused: the catalogue comes with the program",
    errors: [400],
  },
  "POST /v1/models/{uid}/reload": {
    dialect: "Xinference",
    summary: "Refused: a model is not changed while it runs",
    errors: [400],
  },
  "GET /v1/models/{uid}/reload": {
    dialect: "Xinference",
    summary: "Refused: there is no reload to tell of",
    errors: [400],
  },
  "GET /v1/cluster/logs": {
    dialect: "Xinference",
    summary: "Refused: logs go to the standard error",
    errors: [400],
  },
  "GET /v1/cluster/monitor_config": {
    dialect: "Xinference",
    summary: "Refused: dashboards are kept elsewhere",
    errors: [400],
  },
  "PUT /v1/cluster/monitor_config": {
    dialect: "Xinference",
    summary: "Refused: dashboards are kept elsewhere",
    errors: [400],
  },
  "POST /v1/cluster/monitor_config/check-grafana": {
    dialect: "Xinference",
    summary: "Refused: dashboards are kept elsewhere",
    errors: [400],
  },
  "POST /v1/cluster/monitor_config/reset": {
    dialect: "Xinference",
    summary: "Refused: dashboards are kept elsewhere",
    errors: [400],
  },
  "GET /v1/cluster/logs/context": {
    dialect: "Xinference",
    summary: "Refused: logs go to the standard error",
    errors: [400],
  },
  "GET /v1/cluster/logs/nodes": {
    dialect: "Xinference",
    summary: "Refused: logs go to the standard error",
    errors: [400],
  },
  "POST /v1/models/llm/auto-register": {
    dialect: "Xinference",
    summary: "Refused: a directory is registered where it lies",
    errors: [400],
  },
  "POST /v1/ui/{uid}": {
    dialect: "Xinference",
    summary: "Refused: no page is made for a single model",
    errors: [400],
  },
  "GET /v1/launch_history": {
    dialect: "Xinference",
    summary: "With what its user launched models before",
    reply: { json: "PastLaunchesReply" },
    errors: [],
  },
  "POST /v1/launch_history": {
    dialect: "Xinference",
    summary: "Remember with what a model was launched",
    body: PastLaunchRequest,
    reply: { json: "DoneReply" },
    errors: [],
  },
  "DELETE /v1/launch_history/{name}": {
    dialect: "Xinference",
    summary: "Forget with what a model was launched",
    reply: { json: "DoneReply" },
    errors: [404],
  },
  "DELETE /v1/launch_history/{name}/{uid}": {
    dialect: "Xinference",
    summary: "Forget one launch",
    reply: { json: "DoneReply" },
    errors: [404],
  },
  "GET /v1/audit/search": {
    dialect: "Xinference",
    summary: "What happened to models, keys and accounts, the latest first",
    query: AuditQuery,
    reply: { json: "AuditReply" },
    errors: [400],
  },
  "GET /v1/audit/filter-options": {
    dialect: "Xinference",
    summary: "Whom there are such records of",
    reply: { json: "AuditOptionsReply" },
    errors: [],
  },
  "GET /v1/admin/security/rate-limit": {
    dialect: "Xinference",
    summary: "What keeps an address from guessing keys and passwords",
    reply: { json: "ThrottleRuleReply" },
    errors: [],
  },
  "PUT /v1/admin/security/rate-limit": {
    dialect: "Xinference",
    summary: "Refused: it is a rule of the program",
    errors: [400],
  },
  "GET /v1/admin/security/banned-ips": {
    dialect: "Xinference",
    summary: "Addresses that wait because of wrong keys and passwords",
    reply: { json: "BannedAddressesReply" },
    errors: [],
  },
  "GET /v1/admin/security/banned-keys": {
    dialect: "Xinference",
    summary: "None: it is the address that waits",
    reply: { json: "BannedKeysReply" },
    errors: [],
  },
  "POST /v1/admin/security/unban-ip": {
    dialect: "Xinference",
    summary: "Let an address try again",
    body: UnbanRequest,
    reply: { json: "DoneReply" },
    errors: [],
  },
  "POST /v1/admin/security/unban-all-ips": {
    dialect: "Xinference",
    summary: "Let every address try again",
    reply: { json: "DoneReply" },
    errors: [],
  },
  "POST /v1/admin/security/unban-key": {
    dialect: "Xinference",
    summary: "Nothing to undo: no key waits by itself",
    reply: { json: "DoneReply" },
    errors: [],
  },
  "POST /v1/admin/security/unban-all-keys": {
    dialect: "Xinference",
    summary: "Nothing to undo: no key waits by itself",
    reply: { json: "DoneReply" },
    errors: [],
  },
  "GET /v1/autostart/models": {
    dialect: "Xinference",
    summary: "What starts with the server",
    reply: { json: "AutostartReply" },
    errors: [],
  },
  "GET /v1/autostart/models/summary": {
    dialect: "Xinference",
    summary: "What starts with the server, in short",
    reply: { json: "AutostartSummary" },
    errors: [],
  },
  "POST /v1/autostart/models": {
    dialect: "Xinference",
    summary: "Have a model start with the server",
    body: AutostartRequest,
    reply: { json: "AutostartReply" },
    errors: [],
  },
  "DELETE /v1/autostart/models/{uid}": {
    dialect: "Xinference",
    summary: "Have it start no more",
    reply: { json: "AutostartSummary" },
    errors: [],
  },
  "POST /api/chat": {
    dialect: "Ollama",
    summary: "Answer a conversation, a line at a time or whole",
    body: OllamaChatRequest,
    reply: { lines: "OllamaChatLine", isEither: true },
    errors: ofModels,
  },
  "POST /api/generate": {
    dialect: "Ollama",
    summary: "Answer a prompt, a line at a time or whole",
    body: OllamaGenerateRequest,
    reply: { lines: "OllamaGenerateLine", isEither: true },
    errors: ofModels,
  },
  "GET /api/tags": {
    dialect: "Ollama",
    summary: "The models that answer when they are named",
    reply: { json: "OllamaModels" },
    errors: [],
  },
  "GET /api/ps": {
    dialect: "Ollama",
    summary: "The models that are loaded",
    reply: { json: "OllamaModels" },
    errors: [],
  },
  "POST /api/show": {
    dialect: "Ollama",
    summary: "What is known of a model",
    body: OllamaNameRequest,
    reply: { json: "OllamaShown" },
    errors: [404],
  },
  "POST /api/copy": {
    dialect: "Ollama",
    summary: "Give a model one more name",
    body: OllamaCopyRequest,
    reply: { nothing: true },
    errors: [404],
  },
  "DELETE /api/delete": {
    dialect: "Ollama",
    summary: "Take such a name back; no files are deleted",
    body: OllamaNameRequest,
    reply: { nothing: true },
    errors: [403, 404],
  },
  "POST /api/pull": {
    dialect: "Ollama",
    summary: "Succeeds for a model that is here",
    body: OllamaNameRequest,
    reply: { lines: "OllamaStatus", isEither: true },
    errors: [404],
  },
  "GET /api/version": {
    dialect: "Ollama",
    summary: "The version of Ollama whose API this is",
    reply: { json: "OllamaVersion" },
    errors: [],
  },
  "POST /api/embed": {
    dialect: "Ollama",
    summary: "Refused: this family makes no embeddings",
    errors: [400],
  },
  "POST /api/embeddings": {
    dialect: "Ollama",
    summary: "Refused: this family makes no embeddings",
    errors: [400],
  },
  "POST /token": {
    dialect: "Xinference",
    summary: "Log in with name and password",
    body: LoginRequest,
    reply: { json: "LoginReply" },
    errors: [401],
  },
  "POST /v1/auth/refresh": {
    dialect: "Xinference",
    summary: "Exchange a refresh token for the next tokens",
    body: RefreshRequest,
    reply: { json: "LoginReply" },
    errors: [401],
  },
  "POST /v1/auth/logout": {
    dialect: "Xinference",
    summary: "End the login that asks",
    reply: { json: "DoneReply" },
    errors: [],
  },
  "GET /v1/auth/me": {
    dialect: "Xinference",
    summary: "Who asks, and what they may do",
    reply: { json: "WhoReply" },
    errors: [],
  },
  "POST /v1/auth/password": {
    dialect: "Xinference",
    summary: "Change one's own password",
    body: OwnPasswordRequest,
    reply: { json: "OwnPasswordReply" },
    errors: [],
  },
  "GET /v1/cluster/auth": {
    dialect: "Xinference",
    summary: "Whether every request needs a key",
    reply: { json: "ClusterAuthReply" },
    errors: [],
  },
  "GET /v1/admin/setup/status": {
    dialect: "Xinference",
    summary: "Whether there is an account",
    reply: { json: "SetupStatusReply" },
    errors: [],
  },
  "POST /v1/admin/setup": {
    dialect: "Xinference",
    summary: "Make the first account",
    body: SetupRequest,
    reply: { json: "SetupReply" },
    errors: [],
  },
  "GET /v1/admin/users": {
    dialect: "Xinference",
    summary: "List the accounts",
    reply: { json: "UsersReply" },
    errors: [],
  },
  "POST /v1/admin/users": {
    dialect: "Xinference",
    summary: "Make an account",
    body: NewUserRequest,
    reply: { json: "UserRecord" },
    errors: [409],
  },
  "PUT /v1/admin/users/{id}": {
    dialect: "Xinference",
    summary: "Change an account",
    body: UserChangeRequest,
    reply: { json: "UserRecord" },
    errors: [404],
  },
  "PATCH /v1/admin/users/{id}": {
    dialect: "Xinference",
    summary: "Change an account",
    body: UserChangeRequest,
    reply: { json: "UserRecord" },
    errors: [404],
  },
  "DELETE /v1/admin/users/{id}": {
    dialect: "Xinference",
    summary: "Remove an account with its keys",
    reply: { json: "DoneReply" },
    errors: [404],
  },
  "PUT /v1/admin/users/{id}/password": {
    dialect: "Xinference",
    summary: "Give an account another password",
    body: UserPasswordRequest,
    reply: { json: "UserRecord" },
    errors: [404],
  },
  "PUT /v1/admin/users/{id}/permissions": {
    dialect: "Xinference",
    summary: "Say anew what an account may do",
    body: PermissionsRequest,
    reply: { json: "UserRecord" },
    errors: [404],
  },
  "GET /v1/admin/keys": {
    dialect: "Xinference",
    summary: "List the keys, without their secrets",
    reply: { json: "KeysReply" },
    errors: [],
  },
  "POST /v1/admin/keys": {
    dialect: "Xinference",
    summary: "Make a key; only this reply has it",
    body: NewKeyRequest,
    reply: { json: "NewKeyReply" },
    errors: [],
  },
  "PUT /v1/admin/keys/{id}": {
    dialect: "Xinference",
    summary: "Change a key",
    body: KeyChangeRequest,
    reply: { json: "KeyRecord" },
    errors: [404],
  },
  "DELETE /v1/admin/keys/{id}": {
    dialect: "Xinference",
    summary: "Revoke a key",
    reply: { json: "DoneReply" },
    errors: [404],
  },
  "GET /v1/admin/keys/{id}/reveal": {
    dialect: "Xinference",
    summary: "Refused: a key is kept as its hash",
    errors: [400, 404],
  },
  "GET /health": {
    dialect: "Operations",
    summary: "Whether the server lives",
    reply: { json: "HealthReply" },
    errors: [],
  },
  "GET /metrics": {
    dialect: "Operations",
    summary: "Counts and measures, for Prometheus",
    reply: { text: "text/plain" },
    errors: [],
  },
  "GET /openapi.json": {
    dialect: "Operations",
    summary: "This page, for programs",
    reply: { text: "application/json" },
    errors: [],
  },
  "GET /docs": {
    dialect: "Operations",
    summary: "This page, for people",
    reply: { text: "text/html" },
    errors: [],
  },
};

/** Any page may ask these. */
const probes: ReadonlySet<string> = new Set(["GET /health", "GET /status"]);

/** Whether anybody may ask it where keys are asked for. */
export function isPublic(route: string): boolean {
  const [method = "", path = ""] = route.split(" ");
  const need = needOf(method, path.replace(/\{(\w+)\}/g, ":$1")) ?? "admin";
  return need === "public" || probes.has(route);
}

/** What the door of the server answers on this route, beside the route's own errors. */
export function statusesOf(route: string): readonly number[] {
  const of = contract[route];
  if (of === undefined) throw new Error(`no contract for ${route}`);
  const atTheDoor = probes.has(route) ? [421, 431] : [403, 421, 431];
  // No key, or too many wrong ones and too many requests.
  const ofKeys = isPublic(route) ? [] : [401, 429];
  const ofBodies = of.body === undefined ? [] : [400, 413, 415];
  const ofForms = of.form === undefined ? [] : [413];
  const all = new Set([...atTheDoor, ...ofKeys, ...ofBodies, ...ofForms, ...of.errors]);
  return [...all].toSorted((a, b) => a - b);
}
