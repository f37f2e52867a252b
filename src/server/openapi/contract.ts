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
import { examplePicture } from "./example-picture.ts";

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

/** A form's body are the fields beside its file. */
export type RouteExample =
  | { readonly body: Readonly<Record<string, unknown>> }
  | { readonly query: string };

export type RouteContract = {
  readonly dialect: Dialect;
  /** In a few words. */
  readonly summary: string;
  /** What these do not say. */
  readonly description: string;
  /** A request that can be sent as it is, once the parts of its path are there. */
  readonly example?: RouteExample;
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
    description:
      "The conversation is rendered by the checkpoint's own chat template, pictures in front of the text of their turn. The answer carries a receipt in `atalaya`. With `stream`, chunks come as server-sent events, and `data: [DONE]` at the end.",
    example: {
      body: {
        model: "demo",
        messages: [
          {
            role: "user",
            content: [
              { type: "image_url", image_url: { url: `data:image/png;base64,${examplePicture}` } },
              { type: "text", text: "What do you see?" },
            ],
          },
        ],
        max_completion_tokens: 40,
      },
    },
    body: ChatCompletionRequest,
    reply: { json: "ChatCompletion", events: "ChatCompletionChunk" },
    errors: ofModels,
  },
  "POST /v1/completions": {
    dialect: "OpenAI",
    summary: "Continue a bare prompt, with pictures in `images`",
    description:
      "No chat template is used. Several prompts are answered in one request, each in its own turn; `index` numbers their answers prompt by prompt.",
    example: { body: { model: "demo", prompt: "What do you see?", max_tokens: 20 } },
    body: CompletionRequest,
    reply: { json: "Completion", events: "Completion" },
    errors: ofModels,
  },
  "POST /v1/responses": {
    dialect: "OpenAI",
    summary: "Answer items: whole, as named events, or in the background",
    description:
      'Items go in, and items come out. A response is kept in memory for an hour, on disk with `"store": true`, and not at all with `"store": false`.',
    example: { body: { model: "demo", input: "What do you see?", max_output_tokens: 40 } },
    body: ResponsesRequest,
    reply: { json: "ResponseObject", events: "ResponseEvent" },
    errors: ofModels,
  },
  "GET /v1/responses/{id}": {
    dialect: "OpenAI",
    summary: "A response that was kept",
    description: "As it is now: one in the background tells here how far it is.",
    query: RetrieveResponseQuery,
    reply: { json: "ResponseObject" },
    errors: [400, 404],
  },
  "DELETE /v1/responses/{id}": {
    dialect: "OpenAI",
    summary: "Forget a response",
    description: "It cannot be continued any more. One that is under way is ended first.",
    reply: { json: "ResponseDeleted" },
    errors: [404],
  },
  "POST /v1/responses/{id}/cancel": {
    dialect: "OpenAI",
    summary: "End a response that is under way",
    description:
      "One in the background, or one that is streamed to somebody else. What was said by then stays.",
    reply: { json: "ResponseObject" },
    errors: [400, 404],
  },
  "GET /v1/responses/{id}/input_items": {
    dialect: "OpenAI",
    summary: "What a response was told",
    description: "The items of its own request, without those of the responses that it continues.",
    example: { query: "include[]=message.input_image.image_url&limit=20" },
    query: ListItemsQuery,
    reply: { json: "ResponseItemList" },
    errors: [400, 404],
  },
  "GET /v1/models": {
    dialect: "OpenAI",
    summary: "What is running",
    description: "Models that can answer; every one with `state=all`.",
    example: { query: "state=all" },
    query: ListModelsQuery,
    reply: { json: "ModelList" },
    errors: [400],
  },
  "GET /v1/models/{uid}": {
    dialect: "OpenAI",
    summary: "A running model",
    description: "With its engine, its context, what it can do, and how far its launch is.",
    reply: { json: "ModelRecord" },
    errors: [404],
  },
  "POST /v1/files": {
    dialect: "OpenAI",
    summary: "Keep a file",
    description:
      "One file may have 200 MiB, all together 10 GiB. A picture can then be named by its id in every dialect.",
    example: { body: { purpose: "vision" } },
    form: FileUploadFields,
    reply: { json: "FileObject" },
    errors: [400],
  },
  "GET /v1/files": {
    dialect: "OpenAI",
    summary: "The files that are kept",
    description: "Those that were sent, and those that batches made.",
    example: { query: "purpose=batch&limit=20" },
    query: ListFilesQuery,
    reply: { json: "FileList" },
    errors: [400],
  },
  "GET /v1/files/{id}": {
    dialect: "OpenAI",
    summary: "What is known of a file",
    description: "Its size, its purpose, and when it is deleted.",
    reply: { json: "FileObject" },
    errors: [404],
  },
  "GET /v1/files/{id}/content": {
    dialect: "OpenAI",
    summary: "The bytes of a file",
    description: "Always as an attachment, whatever it is.",
    reply: { bytes: true },
    errors: [404],
  },
  "DELETE /v1/files/{id}": {
    dialect: "OpenAI",
    summary: "Delete a file",
    description: "At once. A batch that still reads it fails.",
    reply: { json: "FileDeleted" },
    errors: [404],
  },
  "POST /v1/batches": {
    dialect: "OpenAI",
    summary: "Have a file of requests done within a day",
    description:
      "Each line is asked as a client would ask, beside everything else, and its result is on the disk before it counts. A restart goes on where it was.",
    example: {
      body: {
        input_file_id: "file-0123",
        endpoint: "/v1/chat/completions",
        completion_window: "24h",
      },
    },
    body: CreateBatchRequest,
    reply: { json: "BatchObject" },
    errors: [404],
  },
  "GET /v1/batches": {
    dialect: "OpenAI",
    summary: "The batches, the newest first",
    description: "Those that are under way, and those that have ended.",
    example: { query: "limit=20" },
    query: ListBatchesQuery,
    reply: { json: "BatchList" },
    errors: [400],
  },
  "GET /v1/batches/{id}": {
    dialect: "OpenAI",
    summary: "How far a batch is",
    description: "With the ids of its files, once they are made.",
    reply: { json: "BatchObject" },
    errors: [404],
  },
  "POST /v1/batches/{id}/cancel": {
    dialect: "OpenAI",
    summary: "End a batch; what is done of it is kept",
    description: "Lines under way end; what was done by then becomes the files.",
    reply: { json: "BatchObject" },
    errors: [400, 404],
  },
  "POST /v1/moderations": {
    dialect: "OpenAI",
    summary: "What Llama Guard thinks of a text, a picture, or both",
    description:
      "Needs a running guard. The prompt is the one that the guard was trained on; OpenAI's categories are made of its hazards.",
    example: { body: { input: "How do I bake bread?" } },
    body: ModerationRequest,
    reply: { json: "ModerationReply" },
    errors: ofModels,
  },
  "POST /v1/embeddings": {
    dialect: "OpenAI",
    summary: "Refused: this family makes no embeddings",
    description: "Every request gets this sentence: Llama 3.2 Vision gives answers, not vectors.",
    example: { body: { model: "demo", input: "bread" } },
    errors: [400],
  },
  "POST /v1/rerank": {
    dialect: "Xinference",
    summary: "Refused: this family ranks nothing",
    description: "Every request gets this sentence: Llama 3.2 Vision gives answers, not scores.",
    example: { body: { model: "demo", query: "bread", documents: ["bakery"] } },
    errors: [400],
  },
  "POST /v1/messages": {
    dialect: "Anthropic",
    summary: "Answer a conversation, whole or as events",
    description:
      "Blocks go in, and blocks come out; with `stream` as Anthropic's named events. Any `anthropic-version` will do.",
    example: {
      body: {
        model: "demo",
        max_tokens: 40,
        messages: [
          {
            role: "user",
            content: [
              {
                type: "image",
                source: { type: "base64", media_type: "image/png", data: examplePicture },
              },
              { type: "text", text: "What do you see?" },
            ],
          },
        ],
      },
    },
    body: MessagesRequest,
    reply: { json: "AnthropicAnswer", events: "AnthropicEvent" },
    errors: ofModels,
  },
  "POST /v1/messages/count_tokens": {
    dialect: "Anthropic",
    summary: "The tokens of a conversation",
    description:
      "As the model would be given them, functions included. Pictures are not read: each counts as its marker.",
    example: { body: { model: "demo", messages: [{ role: "user", content: "What do you see?" }] } },
    body: CountTokensRequest,
    reply: { json: "AnthropicTokenCount" },
    errors: [404, 503],
  },
  "POST /v1/models": {
    dialect: "Xinference",
    summary: "Launch a model",
    description:
      "By name or by path. Files that are not here are downloaded. The answer waits for the model, unless `wait_ready=false`.",
    example: { body: { model_name: "demo", model_uid: "second" } },
    body: LaunchRequest,
    query: LaunchQuery,
    reply: { json: "LaunchReply" },
    errors: [],
  },
  "DELETE /v1/models/{uid}": {
    dialect: "Xinference",
    summary: "Terminate a model, after its answers under way",
    description: "New requests are refused at once; answers under way may end.",
    reply: { null: true },
    errors: [400],
  },
  "GET /v1/models/{uid}/launch": {
    dialect: "Xinference",
    summary: "How a launch goes, until it has ended",
    description:
      "A line of JSON each time something changes, then exactly one that says how it ended.",
    reply: { lines: "LaunchLine" },
    errors: [404],
  },
  "GET /v1/engines/{name}": {
    dialect: "Xinference",
    summary: "Which engines run a model of the registry here",
    description:
      "For each engine its formats and quantizations, or why it runs nothing here and what would help.",
    reply: { json: "EnginesReply" },
    errors: [400],
  },
  "POST /v1/models/instance": {
    dialect: "Xinference",
    summary: "Launch a model by its version",
    description: "A version is such as `demo--1B--pytorch--none`; the versions route lists them.",
    example: { body: { model_version: "demo--1B--pytorch--none", model_uid: "by-version" } },
    body: LaunchByVersionRequest,
    query: LaunchQuery,
    reply: { json: "LaunchReply" },
    errors: [],
  },
  "GET /v1/models/instances": {
    dialect: "Xinference",
    summary: "How every launch is, and its replicas",
    description: "With what failed, and why.",
    example: { query: "model_uid=demo" },
    query: InstancesQuery,
    reply: { json: "InstancesReply" },
    errors: [],
  },
  "GET /v1/models/{uid}/progress": {
    dialect: "Xinference",
    summary: "How far a launch is; of no launch, not at all",
    description: "With the files that are downloaded, and how fast.",
    reply: { json: "ProgressReply" },
    errors: [],
  },
  "POST /v1/models/{uid}/cancel": {
    dialect: "Xinference",
    summary: "Give up a launch",
    description: "A download goes on where it was when the model is launched again.",
    reply: { null: true },
    errors: [400],
  },
  "GET /v1/models/{uid}/events": {
    dialect: "Xinference",
    summary: "What happened to a model",
    description: "Launches, failures, restarts and ends, the latest last.",
    reply: { json: "ModelEventsReply" },
    errors: [],
  },
  "GET /v1/models/{uid}/replicas": {
    dialect: "Xinference",
    summary: "The replicas of a model",
    description: "Processes that have the model each; requests go to them in turn.",
    reply: { json: "ReplicasReply" },
    errors: [400],
  },
  "POST /v1/models/{uid}/replicas": {
    dialect: "Xinference",
    summary: "Run a model once more",
    description: "The answer comes when it is ready.",
    example: { body: { replica: 1 } },
    body: AddReplicaRequest,
    reply: { json: "AddReplicaReply" },
    errors: [],
  },
  "DELETE /v1/models/{uid}/replicas/{replica}": {
    dialect: "Xinference",
    summary: "End one replica",
    description:
      "Its answers under way may end. The last one cannot be ended so: terminate the model.",
    reply: { json: "RemoveReplicaReply" },
    errors: [400],
  },
  "POST /v1/models/{uid}/requests/{request}/abort": {
    dialect: "Xinference",
    summary: "End a request by the id that its client gave it",
    description:
      "The id is what the client sent as `request_id`. Whoever waits for the answer is told.",
    example: { body: { block_duration: 30 } },
    body: AbortRequestBody,
    reply: { json: "AbortRequestReply" },
    errors: [],
  },
  "GET /v1/requests/{request}/progress": {
    dialect: "Xinference",
    summary: "Always 0: answers tell how far they are by themselves",
    description:
      "Xinference's clients ask it of pictures that are made, which this family does not.",
    reply: { json: "RequestProgressReply" },
    errors: [],
  },
  "GET /v1/model_registrations/{type}": {
    dialect: "Xinference",
    summary: "What can be launched by name",
    description: "Families that come with the program, and those that were registered.",
    example: { query: "detailed=true" },
    query: RegistrationsQuery,
    reply: { json: "RegistrationsReply" },
    errors: [400],
  },
  "POST /v1/model_registrations/{type}": {
    dialect: "Xinference",
    summary: "Make a model known by name",
    description: "The text is a family's JSON in Xinference's form, version 2.",
    example: { body: { model: '{"version": 2, "model_name": "receipts"}', persist: false } },
    body: RegistrationRequest,
    reply: { null: true },
    errors: [],
  },
  "GET /v1/model_registrations/{type}/{name}": {
    dialect: "Xinference",
    summary: "What is known of a model of the registry",
    description: "Its forms, where each comes from, and whether its files are here.",
    reply: { json: "DetailedRegistration" },
    errors: [400],
  },
  "DELETE /v1/model_registrations/{type}/{name}": {
    dialect: "Xinference",
    summary: "Forget a model that was registered",
    description: "Those that come with the program stay. No files are deleted.",
    reply: { null: true },
    errors: [400],
  },
  "GET /v1/models/LLM/{name}/versions": {
    dialect: "Xinference",
    summary: "The versions of a model, and where their files are",
    description: "Each form in each quantization has a version, which can be launched by itself.",
    reply: { json: "VersionsReply" },
    errors: [],
  },
  "GET /v1/engines/LLM/{name}": {
    dialect: "Xinference",
    summary: "Which engines run a model of the registry here",
    description: "The same as without `LLM`, which clients of other years say.",
    reply: { json: "EnginesReply" },
    errors: [400],
  },
  "GET /v1/models/families": {
    dialect: "Xinference",
    summary: "Names of models by what they can do",
    description: "Ability, then names; what Xinference's page shows.",
    reply: { json: "FamiliesReply" },
    errors: [],
  },
  "GET /v1/models/vllm-supported": {
    dialect: "Xinference",
    summary: "Those that vLLM runs here",
    description: "Empty where vLLM cannot run.",
    reply: { json: "FamiliesReply" },
    errors: [],
  },
  "GET /v1/models/prompts": {
    dialect: "Xinference",
    summary: "Nothing: chat templates are the checkpoints' own",
    description: "Always empty: templates are read from the checkpoint when it is launched.",
    reply: { json: "PromptsReply" },
    errors: [],
  },
  "GET /v1/cache/models": {
    dialect: "Xinference",
    summary: "Models of the registry in the hubs' caches on this machine",
    description: "Only whole ones; half a download is none.",
    example: { query: "model_name=llama-3.2-vision" },
    query: CacheQuery,
    reply: { json: "CachedModelsReply" },
    errors: [],
  },
  "GET /v1/cache/models/files": {
    dialect: "Xinference",
    summary: "The files of one of them",
    description: "Their paths on this machine.",
    example: { query: "model_version=llama-3.2-vision--11B--pytorch--none" },
    query: CacheFilesQuery,
    reply: { json: "CachedFilesReply" },
    errors: [400],
  },
  "DELETE /v1/cache/models": {
    dialect: "Xinference",
    summary: "Remove one of them",
    description:
      "Its files are deleted, unless another program's store has them or a running model needs them.",
    example: { query: "model_version=llama-3.2-vision--11B--pytorch--none" },
    query: CacheFilesQuery,
    reply: { json: "ResultReply" },
    errors: [400],
  },
  "GET /v1/virtualenvs": {
    dialect: "Xinference",
    summary: "None: environments belong to engines here",
    description: "The list is always empty; `atalaya engine` shows the environments of engines.",
    reply: { json: "VirtualEnvironmentsReply" },
    errors: [],
  },
  "DELETE /v1/virtualenvs": {
    dialect: "Xinference",
    summary: "Removes none",
    description: "Answers that nothing was removed.",
    reply: { json: "ResultReply" },
    errors: [],
  },
  "GET /v1/cluster/info": {
    dialect: "Xinference",
    summary: "This machine, as supervisor and as worker",
    description: "Processor, memory and graphics cards with `detailed=true`.",
    example: { query: "detailed=true" },
    query: ClusterInfoQuery,
    reply: { json: "ClusterInfoReply" },
    errors: [400],
  },
  "GET /v1/cluster/version": {
    dialect: "Xinference",
    summary: "The version of Xinference whose API this is",
    description:
      "Clients of Xinference choose by it what they send. This program's own version stands beside it.",
    reply: { json: "ClusterVersionReply" },
    errors: [],
  },
  "GET /v1/cluster/devices": {
    dialect: "Xinference",
    summary: "How many graphics cards there are",
    description: "A bare number.",
    reply: { json: "DevicesReply" },
    errors: [],
  },
  "GET /v1/cluster/ui_config": {
    dialect: "Xinference",
    summary: "What Xinference's page asks for",
    description: "Which parts of that page this server could feed.",
    reply: { json: "UiConfigReply" },
    errors: [],
  },
  "DELETE /v1/clusters": {
    dialect: "Xinference",
    summary: "Stop the server, where it is a program of its own",
    description: "Answers under way may end. A server inside another program is not stopped.",
    reply: { json: "ResultReply" },
    errors: [],
  },
  "GET /v1/address": {
    dialect: "Xinference",
    summary: "The server's address",
    description: "A bare text.",
    reply: { json: "AddressReply" },
    errors: [],
  },
  "GET /v1/supervisor": {
    dialect: "Xinference",
    summary: "The server's address, as the supervisor's",
    description: "There is one machine, which is supervisor and worker.",
    reply: { json: "SupervisorReply" },
    errors: [],
  },
  "GET /v1/workers": {
    dialect: "Xinference",
    summary: "This server as a worker, with its models",
    description: "There is one machine, which is supervisor and worker.",
    reply: { json: "WorkersReply" },
    errors: [],
  },
  "GET /status": {
    dialect: "Xinference",
    summary: "How long the server is up, and how its machine is",
    description: "For load balancers too: it needs no key, and any page may ask it.",
    reply: { json: "StatusReply" },
    errors: [],
  },
  "POST /v1/convert_ids_to_tokens": {
    dialect: "Xinference",
    summary: "Refused: token ids stay inside",
    description: "Every request gets this sentence; log-probabilities tell tokens as texts.",
    example: { body: { model: "demo", input: [1] } },
    errors: [400],
  },
  "POST /v1/models/update_type": {
    dialect: "Xinference",
    summary: "Refused: the catalogue comes with the program",
    description: "Every request gets this sentence.",
    example: { body: { model_type: "LLM" } },
    errors: [400],
  },
  "POST /v1/models/{uid}/reload": {
    dialect: "Xinference",
    summary: "Refused: a model is not changed while it runs",
    description: "Every request gets this sentence: launch it anew in place of that.",
    example: { body: {} },
    errors: [400],
  },
  "GET /v1/models/{uid}/reload": {
    dialect: "Xinference",
    summary: "Refused: there is no reload to tell of",
    description: "Every request gets this sentence.",
    errors: [400],
  },
  "GET /v1/cluster/logs": {
    dialect: "Xinference",
    summary: "Refused: logs go to the standard error",
    description: "Every request gets this sentence: read them where the server's output goes.",
    errors: [400],
  },
  "GET /v1/cluster/monitor_config": {
    dialect: "Xinference",
    summary: "Refused: dashboards are kept elsewhere",
    description: "Every request gets this sentence; numbers for dashboards are at `/metrics`.",
    errors: [400],
  },
  "PUT /v1/cluster/monitor_config": {
    dialect: "Xinference",
    summary: "Refused: dashboards are kept elsewhere",
    description: "Every request gets this sentence; numbers for dashboards are at `/metrics`.",
    example: { body: {} },
    errors: [400],
  },
  "POST /v1/cluster/monitor_config/check-grafana": {
    dialect: "Xinference",
    summary: "Refused: dashboards are kept elsewhere",
    description: "Every request gets this sentence; numbers for dashboards are at `/metrics`.",
    example: { body: {} },
    errors: [400],
  },
  "POST /v1/cluster/monitor_config/reset": {
    dialect: "Xinference",
    summary: "Refused: dashboards are kept elsewhere",
    description: "Every request gets this sentence; numbers for dashboards are at `/metrics`.",
    example: { body: {} },
    errors: [400],
  },
  "GET /v1/cluster/logs/context": {
    dialect: "Xinference",
    summary: "Refused: logs go to the standard error",
    description: "Every request gets this sentence: read them where the server's output goes.",
    errors: [400],
  },
  "GET /v1/cluster/logs/nodes": {
    dialect: "Xinference",
    summary: "Refused: logs go to the standard error",
    description: "Every request gets this sentence: read them where the server's output goes.",
    errors: [400],
  },
  "POST /v1/models/llm/auto-register": {
    dialect: "Xinference",
    summary: "Refused: a directory is registered where it lies",
    description:
      "Every request gets this sentence: launch the directory by its path, or register it by hand.",
    example: { body: { model_path: "/models/mine" } },
    errors: [400],
  },
  "POST /v1/ui/{uid}": {
    dialect: "Xinference",
    summary: "Refused: no page is made for a single model",
    description: "Every request gets this sentence.",
    example: { body: {} },
    errors: [400],
  },
  "GET /v1/launch_history": {
    dialect: "Xinference",
    summary: "With what its user launched models before",
    description: "So that a page can offer the same again. Each user sees their own.",
    reply: { json: "PastLaunchesReply" },
    errors: [],
  },
  "POST /v1/launch_history": {
    dialect: "Xinference",
    summary: "Remember with what a model was launched",
    description: "`data` is kept as it is, and given back to the same user.",
    example: { body: { model_name: "demo", model_uid: "demo", data: { model_engine: "native" } } },
    body: PastLaunchRequest,
    reply: { json: "DoneReply" },
    errors: [],
  },
  "DELETE /v1/launch_history/{name}": {
    dialect: "Xinference",
    summary: "Forget with what a model was launched",
    description: "All that its user launched of this model.",
    reply: { json: "DoneReply" },
    errors: [404],
  },
  "DELETE /v1/launch_history/{name}/{uid}": {
    dialect: "Xinference",
    summary: "Forget one launch",
    description: "The one of this name.",
    reply: { json: "DoneReply" },
    errors: [404],
  },
  "GET /v1/audit/search": {
    dialect: "Xinference",
    summary: "What happened to models, keys and accounts, the latest first",
    description: "Who launched, who made keys, who logged in; no contents of requests.",
    example: { query: "category=model&limit=20" },
    query: AuditQuery,
    reply: { json: "AuditReply" },
    errors: [400],
  },
  "GET /v1/audit/filter-options": {
    dialect: "Xinference",
    summary: "Whom there are such records of",
    description: "Kinds, users and models, for a page that searches.",
    reply: { json: "AuditOptionsReply" },
    errors: [],
  },
  "GET /v1/admin/security/rate-limit": {
    dialect: "Xinference",
    summary: "What keeps an address from guessing keys and passwords",
    description: "Failures, the time they count in, and how long an address waits.",
    reply: { json: "ThrottleRuleReply" },
    errors: [],
  },
  "PUT /v1/admin/security/rate-limit": {
    dialect: "Xinference",
    summary: "Refused: it is a rule of the program",
    description: "Every request gets this sentence.",
    example: { body: { ip_max_failures: 5 } },
    errors: [400],
  },
  "GET /v1/admin/security/banned-ips": {
    dialect: "Xinference",
    summary: "Addresses that wait because of wrong keys and passwords",
    description: "With the seconds that each still waits.",
    reply: { json: "BannedAddressesReply" },
    errors: [],
  },
  "GET /v1/admin/security/banned-keys": {
    dialect: "Xinference",
    summary: "None: it is the address that waits",
    description: "Always empty.",
    reply: { json: "BannedKeysReply" },
    errors: [],
  },
  "POST /v1/admin/security/unban-ip": {
    dialect: "Xinference",
    summary: "Let an address try again",
    description: "Its failures are forgotten.",
    example: { body: { ip: "192.0.2.7" } },
    body: UnbanRequest,
    reply: { json: "DoneReply" },
    errors: [],
  },
  "POST /v1/admin/security/unban-all-ips": {
    dialect: "Xinference",
    summary: "Let every address try again",
    description: "All failures are forgotten.",
    example: { body: {} },
    reply: { json: "DoneReply" },
    errors: [],
  },
  "POST /v1/admin/security/unban-key": {
    dialect: "Xinference",
    summary: "Nothing to undo: no key waits by itself",
    description: "Answers as Xinference does, and changes nothing.",
    example: { body: { key_id: "none" } },
    reply: { json: "DoneReply" },
    errors: [],
  },
  "POST /v1/admin/security/unban-all-keys": {
    dialect: "Xinference",
    summary: "Nothing to undo: no key waits by itself",
    description: "Answers as Xinference does, and changes nothing.",
    example: { body: {} },
    reply: { json: "DoneReply" },
    errors: [],
  },
  "GET /v1/autostart/models": {
    dialect: "Xinference",
    summary: "What starts with the server",
    description: "With how it went when the server started.",
    reply: { json: "AutostartReply" },
    errors: [],
  },
  "GET /v1/autostart/models/summary": {
    dialect: "Xinference",
    summary: "What starts with the server, in short",
    description: "Names alone, and whether each is switched on.",
    reply: { json: "AutostartSummary" },
    errors: [],
  },
  "POST /v1/autostart/models": {
    dialect: "Xinference",
    summary: "Have a model start with the server",
    description:
      "What is launched stands in `launch`, as the launch route takes it; of a running model its uid will do.",
    example: { body: { launch: { model_uid: "demo" }, enabled: true } },
    body: AutostartRequest,
    reply: { json: "AutostartReply" },
    errors: [],
  },
  "DELETE /v1/autostart/models/{uid}": {
    dialect: "Xinference",
    summary: "Have it start no more",
    description: "A running model goes on.",
    reply: { json: "AutostartSummary" },
    errors: [],
  },
  "POST /api/chat": {
    dialect: "Ollama",
    summary: "Answer a conversation, a line at a time or whole",
    description:
      'As Ollama does: a line of JSON for each piece, or one object with `"stream": false`. A model that rests is woken.',
    example: {
      body: {
        model: "demo",
        messages: [{ role: "user", content: "What do you see?", images: [examplePicture] }],
        stream: false,
      },
    },
    body: OllamaChatRequest,
    reply: { lines: "OllamaChatLine", isEither: true },
    errors: ofModels,
  },
  "POST /api/generate": {
    dialect: "Ollama",
    summary: "Answer a prompt, a line at a time or whole",
    description:
      'The prompt becomes a turn of the user\'s, unless `raw`. Without a prompt the model is loaded, or freed with `"keep_alive": 0`.',
    example: { body: { model: "demo", prompt: "What do you see?", stream: false } },
    body: OllamaGenerateRequest,
    reply: { lines: "OllamaGenerateLine", isEither: true },
    errors: ofModels,
  },
  "GET /api/tags": {
    dialect: "Ollama",
    summary: "The models that answer when they are named",
    description: "Those that run, and those that come back when they are named.",
    reply: { json: "OllamaModels" },
    errors: [],
  },
  "GET /api/ps": {
    dialect: "Ollama",
    summary: "The models that are loaded",
    description: "With when each is freed.",
    reply: { json: "OllamaModels" },
    errors: [],
  },
  "POST /api/show": {
    dialect: "Ollama",
    summary: "What is known of a model",
    description: "What kind of model it is, its settings, its numbers and what it can do.",
    example: { body: { model: "demo" } },
    body: OllamaNameRequest,
    reply: { json: "OllamaShown" },
    errors: [404],
  },
  "POST /api/copy": {
    dialect: "Ollama",
    summary: "Give a model one more name",
    description: "Until the server ends. Nothing is copied on the disk.",
    example: { body: { source: "demo", destination: "copied" } },
    body: OllamaCopyRequest,
    reply: { nothing: true },
    errors: [404],
  },
  "DELETE /api/delete": {
    dialect: "Ollama",
    summary: "Take such a name back; no files are deleted",
    description: "Only a name that `copy` gave.",
    example: { body: { model: "copied" } },
    body: OllamaNameRequest,
    reply: { nothing: true },
    errors: [403, 404],
  },
  "POST /api/pull": {
    dialect: "Ollama",
    summary: "Succeeds for a model that is here",
    description: "Nothing is downloaded; `demo` is launched when it does not run.",
    example: { body: { model: "demo", stream: false } },
    body: OllamaNameRequest,
    reply: { lines: "OllamaStatus", isEither: true },
    errors: [404],
  },
  "GET /api/version": {
    dialect: "Ollama",
    summary: "The version of Ollama whose API this is",
    description:
      "Of the last Ollama that ran this model; this program's own version stands beside it.",
    reply: { json: "OllamaVersion" },
    errors: [],
  },
  "POST /api/embed": {
    dialect: "Ollama",
    summary: "Refused: this family makes no embeddings",
    description: "Every request gets this sentence: Llama 3.2 Vision gives answers, not vectors.",
    example: { body: { model: "demo", input: "bread" } },
    errors: [400],
  },
  "POST /api/embeddings": {
    dialect: "Ollama",
    summary: "Refused: this family makes no embeddings",
    description: "Every request gets this sentence: Llama 3.2 Vision gives answers, not vectors.",
    example: { body: { model: "demo", prompt: "bread" } },
    errors: [400],
  },
  "POST /token": {
    dialect: "Xinference",
    summary: "Log in with name and password",
    description:
      "Gives an access token for the header `authorization: Bearer …`, and a refresh token.",
    example: { body: { username: "ann", password: "correct horse battery" } },
    body: LoginRequest,
    reply: { json: "LoginReply" },
    errors: [401],
  },
  "POST /v1/auth/refresh": {
    dialect: "Xinference",
    summary: "Exchange a refresh token for the next tokens",
    description:
      "Each refresh token is good for one exchange; when one comes twice, its login has ended.",
    example: { body: { refresh_token: "a token of POST /token" } },
    body: RefreshRequest,
    reply: { json: "LoginReply" },
    errors: [401],
  },
  "POST /v1/auth/logout": {
    dialect: "Xinference",
    summary: "End the login that asks",
    description: "Its tokens end with it. Other logins of the account go on.",
    example: { body: {} },
    reply: { json: "DoneReply" },
    errors: [],
  },
  "GET /v1/auth/me": {
    dialect: "Xinference",
    summary: "Who asks, and what they may do",
    description: "Of a key, a login, or nobody in particular.",
    reply: { json: "WhoReply" },
    errors: [],
  },
  "POST /v1/auth/password": {
    dialect: "Xinference",
    summary: "Change one's own password",
    description: "All other logins of the account end.",
    example: {
      body: { old_password: "correct horse battery", new_password: "correct horse battery staple" },
    },
    body: OwnPasswordRequest,
    reply: { json: "OwnPasswordReply" },
    errors: [],
  },
  "GET /v1/cluster/auth": {
    dialect: "Xinference",
    summary: "Whether every request needs a key",
    description: "Xinference's clients ask it before anything else.",
    reply: { json: "ClusterAuthReply" },
    errors: [],
  },
  "GET /v1/admin/setup/status": {
    dialect: "Xinference",
    summary: "Whether there is an account",
    description: "With how long a password must be.",
    reply: { json: "SetupStatusReply" },
    errors: [],
  },
  "POST /v1/admin/setup": {
    dialect: "Xinference",
    summary: "Make the first account",
    description: "Once, with an administrator's key, which the server's start has shown.",
    example: {
      body: { username: "root", password: "correct horse battery", setup_code: "the first key" },
    },
    body: SetupRequest,
    reply: { json: "SetupReply" },
    errors: [],
  },
  "GET /v1/admin/users": {
    dialect: "Xinference",
    summary: "List the accounts",
    description: "With what each may do, and when they last logged in.",
    reply: { json: "UsersReply" },
    errors: [],
  },
  "POST /v1/admin/users": {
    dialect: "Xinference",
    summary: "Make an account",
    description: "For a person, who logs in with name and password.",
    example: {
      body: { username: "bob", password: "correct horse battery", permissions: ["inference"] },
    },
    body: NewUserRequest,
    reply: { json: "UserRecord" },
    errors: [409],
  },
  "PUT /v1/admin/users/{id}": {
    dialect: "Xinference",
    summary: "Change an account",
    description: "What is left out stays.",
    example: { body: { enabled: true } },
    body: UserChangeRequest,
    reply: { json: "UserRecord" },
    errors: [404],
  },
  "PATCH /v1/admin/users/{id}": {
    dialect: "Xinference",
    summary: "Change an account",
    description: "What is left out stays.",
    example: { body: { enabled: true } },
    body: UserChangeRequest,
    reply: { json: "UserRecord" },
    errors: [404],
  },
  "DELETE /v1/admin/users/{id}": {
    dialect: "Xinference",
    summary: "Remove an account with its keys",
    description: "Its logins and its keys end at once.",
    reply: { json: "DoneReply" },
    errors: [404],
  },
  "PUT /v1/admin/users/{id}/password": {
    dialect: "Xinference",
    summary: "Give an account another password",
    description: "Its logins end.",
    example: { body: { password: "correct horse battery staple" } },
    body: UserPasswordRequest,
    reply: { json: "UserRecord" },
    errors: [404],
  },
  "PUT /v1/admin/users/{id}/permissions": {
    dialect: "Xinference",
    summary: "Say anew what an account may do",
    description: "In place of what it might do before.",
    example: { body: { permissions: ["inference", "operator"] } },
    body: PermissionsRequest,
    reply: { json: "UserRecord" },
    errors: [404],
  },
  "GET /v1/admin/keys": {
    dialect: "Xinference",
    summary: "List the keys, without their secrets",
    description: "With their first letters, and what they took today.",
    reply: { json: "KeysReply" },
    errors: [],
  },
  "POST /v1/admin/keys": {
    dialect: "Xinference",
    summary: "Make a key; only this reply has it",
    description:
      "For a program. What it may do, which models, how much of them and until when can be bounded.",
    example: { body: { name: "scanner", permissions: ["inference"], tokens_per_day: 100000 } },
    body: NewKeyRequest,
    reply: { json: "NewKeyReply" },
    errors: [],
  },
  "PUT /v1/admin/keys/{id}": {
    dialect: "Xinference",
    summary: "Change a key",
    description: "What is left out stays.",
    example: { body: { enabled: true } },
    body: KeyChangeRequest,
    reply: { json: "KeyRecord" },
    errors: [404],
  },
  "DELETE /v1/admin/keys/{id}": {
    dialect: "Xinference",
    summary: "Revoke a key",
    description: "At once, also for answers under way.",
    reply: { json: "DoneReply" },
    errors: [404],
  },
  "GET /v1/admin/keys/{id}/reveal": {
    dialect: "Xinference",
    summary: "Refused: a key is kept as its hash",
    description: "Every request gets this sentence: make another key.",
    errors: [400, 404],
  },
  "GET /health": {
    dialect: "Operations",
    summary: "Whether the server lives",
    description: "It needs no key, and any page may ask it.",
    reply: { json: "HealthReply" },
    errors: [],
  },
  "GET /metrics": {
    dialect: "Operations",
    summary: "Counts and measures, for Prometheus",
    description: "In Prometheus' text format, under Xinference's, vLLM's and our own names.",
    reply: { text: "text/plain" },
    errors: [],
  },
  "GET /openapi.json": {
    dialect: "Operations",
    summary: "This page, for programs",
    description:
      "OpenAPI 3.1. The data of events and lines is described by `x-event-schema` and `x-line-schema`.",
    reply: { text: "application/json" },
    errors: [],
  },
  "GET /docs": {
    dialect: "Operations",
    summary: "This page, for people",
    description: "Made on the server, without scripts, and nothing in it comes from elsewhere.",
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
