/** Builds the HTTP app from its services. It never listens, so tests can inject requests. */
import type { Socket } from "node:net";
import type { HealthReply } from "@atalaya/protocol";
import { type FastifyRequest, fastify } from "fastify";
import { PlatformError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { FileStore } from "../files/file-store.ts";
import type { Identity } from "../identity/identity.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { EventLog } from "../state/event-log.ts";
import type { KeptModels } from "../supervisor/kept-models.ts";
import type { RestingModels } from "../supervisor/resting-models.ts";
import type { Router } from "../supervisor/router.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { authenticateEveryRequest } from "./authenticate.ts";
import { limitBodiesInFlight } from "./body-budget.ts";
import { closeWhenAnswered } from "./closing.ts";
import { answerNamedOrigins } from "./cors.ts";
import { sendError, toHttpError } from "./error-reply.ts";
import { guardEveryRequest, type Neighbours, refuseForeignHosts } from "./guard.ts";
import type { App } from "./http.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { parseJsonBody } from "./json-body.ts";
import { httpLimits } from "./limits.ts";
import { guardWhatIsToldOfModels } from "./models-of-others.ts";
import { observeRequests, requestIdOf } from "./observe-requests.ts";
import { anthropic } from "./routes/anthropic/messages.ts";
import { adminKeys } from "./routes/identity/admin-keys.ts";
import { adminUsers } from "./routes/identity/admin-users.ts";
import { logIn } from "./routes/identity/log-in.ts";
import { launchLines } from "./routes/launch/launch-lines.ts";
import { sendOllamaError } from "./routes/ollama/errors.ts";
import { ollama } from "./routes/ollama/ollama.ts";
import { chatCompletions } from "./routes/openai/chat-completions.ts";
import { completions } from "./routes/openai/completions.ts";
import { type BatchServices, batches } from "./routes/openai/files/batches.ts";
import { files } from "./routes/openai/files/files.ts";
import { models } from "./routes/openai/models.ts";
import { moderations } from "./routes/openai/moderations/moderations.ts";
import { refusals } from "./routes/openai/refusals.ts";
import type { Responses } from "./routes/openai/responses/kept-responses.ts";
import { responses } from "./routes/openai/responses/responses.ts";
import { apiPage } from "./routes/operations/api-page.ts";
import { metricsRoute } from "./routes/operations/metrics.ts";
import type { XinferenceServices } from "./routes/xinference/services.ts";
import { xinference } from "./routes/xinference/xinference.ts";
import { RunningRequests } from "./running-requests.ts";

export type AppServices = {
  readonly supervisor: Supervisor;
  readonly router: Router;
  readonly resting: RestingModels;
  readonly kept: KeptModels;
  readonly events: EventLog;
  readonly responses: Responses;
  readonly files: FileStore;
  readonly batches: BatchServices;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  readonly xinference: XinferenceServices;
  readonly identity: Identity;
  readonly neighbours?: Neighbours;
  /** Proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[];
  /** Where Ollama's clients look for a server: they ask for `/` to see whether one is there. */
  readonly isOllamaPort?: boolean;
  /** Never listened on: requests come from this program alone. */
  readonly isInternal?: boolean;
};

export function buildApp(services: AppServices): App {
  const { supervisor, router, resting, log, metrics, version, neighbours = {} } = services;
  const { era } = services.xinference;
  const requests = new RunningRequests();
  const app: App = fastify({
    logger: false,
    genReqId: requestIdOf,
    trustProxy: services.trustedProxies === undefined ? false : [...services.trustedProxies],
    bodyLimit: httpLimits.bodyBytes,
    rewriteUrl: ({ url = "/" }) => toOwnAddress(url),
    requestTimeout: httpLimits.bodyTimeMs,
    keepAliveTimeout: httpLimits.keepAliveMs,
    http: {
      maxHeaderSize: httpLimits.headerBytes,
      // The runtime looks every half minute, which would make ten seconds forty.
      connectionsCheckingInterval: httpLimits.checkingIntervalMs,
    },
    clientErrorHandler: (error, socket) => refuseBrokenRequest(error, socket),
    frameworkErrors: (error, _request, reply) => {
      void sendError(reply, error, log);
    },
  });
  app.server.headersTimeout = httpLimits.headerTimeMs;
  // The runtime would drop surplus headers without a word; the guard counts and refuses them.
  app.server.maxHeadersCount = 0;
  refuseHugeExpectations(app, log);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (_request: FastifyRequest, body: Buffer) => parseJsonBody(body),
  );
  app.setErrorHandler((error, _request, reply) => {
    const isUnknownModel = error instanceof PlatformError && error.code === "model_not_found";
    // The older generation of Xinference says 400 to whoever names a model that is not there.
    return sendError(reply, error, log, era === "0.16" && isUnknownModel ? 400 : undefined);
  });
  app.setNotFoundHandler((request, reply) =>
    (request.url.startsWith("/api/") ? sendOllamaError : sendError)(
      reply,
      notFound(app, request),
      log,
    ),
  );
  // First, so that what the guard refuses is counted too.
  observeRequests(app, { log, metrics });
  guardEveryRequest(app, neighbours);
  answerNamedOrigins(app, neighbours.origins ?? new Set());
  authenticateEveryRequest(app, services);
  refuseForeignHosts(app, neighbours);
  guardWhatIsToldOfModels(app, supervisor);
  limitBodiesInFlight(app);
  closeWhenAnswered(app);

  app.get("/health", { config: { isPublicProbe: true } }, (): HealthReply => {
    return { status: "ok", version };
  });
  chatCompletions(app, { router, resting, log, requests, era });
  completions(app, { router, resting, log, requests, era });
  responses(app, services);
  moderations(app, services);
  files(app, services.files);
  batches(app, services.batches);
  refusals(app);
  anthropic(app, services);
  ollama(app, services);
  if (services.isOllamaPort === true) app.get("/", () => "Ollama is running (Atalaya)");
  models(app, supervisor);
  launchLines(app, services);
  xinference(app, { ...services, requests });
  metricsRoute(app, metrics);
  apiPage(app, { version });
  logIn(app, services);
  adminUsers(app, services);
  adminKeys(app, services);
  return app;
}

/** Clients that were given an endpoint with a slash behind it ask for `//v1/models`. */
function toOwnAddress(url: string): string {
  if (url.startsWith("//v1/")) return url.slice(1);
  // Xinference's second name for what Anthropic's clients ask.
  return /^\/anthropic\/v1\/(messages|models)(?![^/?])/.test(url)
    ? url.slice("/anthropic".length)
    : url;
}

function notFound(app: App, { method, raw }: FastifyRequest): Error {
  const path = (raw.url ?? "").split("?")[0] ?? "";
  const other = (["GET", "POST"] as const).find((known) =>
    app.hasRoute({ method: known, url: path }),
  );
  if (other !== undefined && other !== method) {
    return new HttpRefusal(405, `This route takes ${other}, not ${method.slice(0, 10)}.`);
  }
  if (!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].includes(method)) {
    return new HttpRefusal(405, "No route takes this method.");
  }
  return new HttpRefusal(
    404,
    "There is no such route. Try GET /v1/models, POST /v1/chat/completions or POST /v1/completions.",
  );
}

/** What is no HTTP gets an answer that is, and the connection ends. */
function refuseBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (socket.destroyed) return;
  const [status, reason] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? ["431 Request Header Fields Too Large", "The headers are larger than 16 KiB."]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ["408 Request Timeout", "The request did not arrive in time."]
        : ["400 Bad Request", "This is not a well-formed HTTP/1.1 request."];
  const body = JSON.stringify({
    error: { message: reason, type: "invalid_request_error", param: null, code: "invalid_request" },
  });
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** A client that asks before it sends is told at once when the body would be too large. */
function refuseHugeExpectations(app: App, log: Logger): void {
  app.server.on("checkContinue", (request, response) => {
    if (Number(request.headers["content-length"] ?? 0) <= httpLimits.pictureBodyBytes) {
      response.writeContinue();
      app.server.emit("request", request, response);
      return;
    }
    const { status, body } = toHttpError(
      new HttpRefusal(413, "The body is larger than any route takes (32 MiB)."),
      log,
    );
    response.writeHead(status, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify(body));
  });
}
