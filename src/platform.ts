/** Wires everything together; the only file that knows all the others. */
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { requestLimits } from "@atalaya/protocol";
import { PlatformError } from "./base/errors.ts";
import { atalayaHome } from "./base/home.ts";
import type { Logger } from "./base/logger.ts";
import { BatchRunner } from "./batches/batch-runner.ts";
import { BatchStore } from "./batches/batch-store.ts";
import { Turns } from "./batches/turns.ts";
import { builtinModels, demoCheckpoint, packageVersion } from "./config/package.ts";
import { isLoopback, readSettings, type Settings, urlHost } from "./config/settings.ts";
import { enginesOfFormat, findEngine } from "./engines/catalog.ts";
import { directoryOfGguf } from "./engines/gguf-directory.ts";
import { countGpus, listGraphicsCards } from "./engines/gpus.ts";
import { type ModelShape, shapeOfRemote } from "./engines/model-shape.ts";
import type {
  CheckpointToMake,
  MadeCheckpoint,
} from "./engines/random-checkpoint/make-checkpoint.ts";
import { FileStore } from "./files/file-store.ts";
import { findOllamaModel } from "./hub/caches/ollama-store.ts";
import { verifyBeforeLoad } from "./hub/first-load.ts";
import { Hub, type RepoOnHubs } from "./hub/hub.ts";
import type { RemoteFiles } from "./hub/remote-files.ts";
import { VerifiedFiles } from "./hub/verified-files.ts";
import { Identity, type IdentityOptions } from "./identity/identity.ts";
import { type MediaPolicy, mediaFetcher } from "./media/media-fetcher.ts";
import { Metrics } from "./observe/metrics.ts";
import { observeAnswer } from "./observe/observe-answer.ts";
import { Pipeline } from "./pipeline/pipeline.ts";
import { type CardFormat, renderModelCard } from "./registry/model-card.ts";
import { Registry } from "./registry/registry.ts";
import { buildApp } from "./server/app.ts";
import { executeIn } from "./server/execute-line.ts";
import type { App } from "./server/http.ts";
import { KeptResponses, Responses } from "./server/routes/openai/responses/kept-responses.ts";
import { RecentResponses } from "./server/routes/openai/responses/recent-responses.ts";
import type { XinferenceServices } from "./server/routes/xinference/services.ts";
import { EventLog } from "./state/event-log.ts";
import { StateDatabase } from "./state/state-database.ts";
import { openServerState, openSharedState, type ServerState } from "./state/state-home.ts";
import { AutostartEntries, whatStarts } from "./supervisor/autostart-entries.ts";
import { type KeptModel, KeptModels } from "./supervisor/kept-models.ts";
import { checkPlan, type LaunchPlan } from "./supervisor/launch.ts";
import { LaunchHistory } from "./supervisor/launch-history.ts";
import type { GgufModels } from "./supervisor/local-gguf.ts";
import { locateIn } from "./supervisor/locate-files.ts";
import { ModelCache } from "./supervisor/model-cache.ts";
import { loadOfModel } from "./supervisor/model-load.ts";
import {
  type MemoryQuestion,
  type ReckonedMemory,
  reckonMemory,
} from "./supervisor/reckon-memory.ts";
import { recordEvents } from "./supervisor/record-events.ts";
import { type Registered, registerDirectory, registerFile } from "./supervisor/registration.ts";
import { repoToPull } from "./supervisor/repo-to-pull.ts";
import { RestingModels } from "./supervisor/resting-models.ts";
import { Router } from "./supervisor/router.ts";
import { defaultDrainMs, Supervisor, type SupervisorParts } from "./supervisor/supervisor.ts";
import { type VerifiedCopy, type VerifyCached, verifyCached } from "./supervisor/verify-cached.ts";
import { type VllmModels, vllmModels } from "./supervisor/vllm-models.ts";

export type { Engine } from "./engines/engine.ts";
export { installEnvironment, listEnvironments, removeEnvironment } from "./engines/environments.ts";
export type { CachedModel } from "./hub/cached-models.ts";
export type { Hub } from "./hub/hub.ts";
export type { PullEvent, PullPlan } from "./hub/pull.ts";
export type { Account } from "./identity/accounts.ts";
export type { ApiKey, KeyChange } from "./identity/api-keys.ts";
export { FileAccounts } from "./identity/auth-config.ts";
export type { Identity, IdentityOptions } from "./identity/identity.ts";
export { parsePermissions, permissions } from "./identity/permissions.ts";
export type { Allowance } from "./identity/principal.ts";
export type { DayUsage } from "./identity/usage-limits.ts";
export { startTracing, wantsTracing } from "./observe/tracing.ts";
export type { ServerState } from "./state/state-home.ts";
export type { ComebackEvent, KeptModel } from "./supervisor/kept-models.ts";
export type { VerifiedCopy } from "./supervisor/verify-cached.ts";

export type PlatformOptions = {
  readonly log: Logger;
  /** Which addresses pictures may be read from; public hosts alone when absent. */
  readonly media?: MediaPolicy;
  /** Where the hubs' caches lie is read from it; the process's own when absent. */
  readonly env?: NodeJS.ProcessEnv;
  /** Without it only the models that we ship are known by name. */
  readonly settings?: Pick<Settings, "home" | "modelRoots"> & Partial<Pick<Settings, "compat">>;
  /** What survives this process; everything is kept in memory when absent. */
  readonly state?: StateDatabase;
  /** After so long without a question a model is freed until the next; never when absent. */
  readonly idleMs?: number | undefined;
  /** Requests that may wait for one model; 256 when absent. */
  readonly maxQueuedRequests?: number | undefined;
  /** Ends the whole program, when a client may ask for that. */
  readonly stop?: () => void;
  /** Who may ask; everybody when absent, so that only this machine may be listened to. */
  readonly identity?: IdentityOptions;
  /** Who may ask from elsewhere: names of this server, web pages, proxies. */
  readonly access?: AccessOptions;
  /** Parts to use in place of the real ones. */
  readonly parts?: Partial<SupervisorParts>;
};

export type AccessOptions = {
  /** Names that this server is reached by, without port. */
  readonly serverNames?: readonly string[];
  /** Exact origins of pages that may ask. */
  readonly corsOrigins?: readonly string[];
  /** Addresses of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[];
};

const defaultMedia: MediaPolicy = { fetchRemote: true, root: undefined };

export { listDevices } from "./supervisor/device-report.ts";
export { launchAndWait } from "./supervisor/launch-and-wait.ts";
export type { LaunchEvent, LaunchStage } from "./supervisor/launch-log.ts";
export { checkPlan, type LaunchPlan };

/** Everything that runs in this process. Disposing it ends the servers and frees the models at once. */
export class Platform implements AsyncDisposable {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly router: Router;
  readonly metrics: Metrics;
  readonly responses: Responses;
  readonly state: StateDatabase;
  readonly events: EventLog;
  readonly kept: KeptModels;
  readonly files: FileStore;
  readonly batches: { readonly store: BatchStore; readonly runner: BatchRunner };
  readonly identity: Identity;
  readonly #access: AccessOptions;
  readonly #log: Logger;
  readonly #env: NodeJS.ProcessEnv;
  /** What is derived from models is kept there. */
  readonly #home: string;
  readonly #gguf: GgufModels;
  readonly resting: RestingModels;
  readonly #apps: App[] = [];
  readonly xinference: XinferenceServices;

  constructor({
    log,
    media = defaultMedia,
    env = process.env,
    settings,
    state = StateDatabase.inMemory(),
    idleMs,
    maxQueuedRequests,
    stop,
    identity = { isRequired: false },
    access = {},
    parts,
  }: PlatformOptions) {
    const fetchMedia = mediaFetcher(media);
    this.#log = log;
    this.#env = env;
    this.#home = ownHome(settings);
    this.#gguf = {
      directoryOf: async (source) => await directoryOfGguf(source, this.#home),
      findOllama: async (name) => await findOllamaModel(name, env),
    };
    this.registry = openRegistry(settings);
    this.supervisor = new Supervisor({
      findEngine,
      openPipeline: (directory) =>
        Pipeline.open(directory, {
          fetchMedia,
          readStored: (id, how) =>
            this.files.readPicture(id, { ...how, maxBytes: requestLimits.maxImageBytes }),
        }),
      demoDirectory: demoCheckpoint(),
      registry: this.registry,
      locateFiles: locateIn(
        async (repo, revision) => await (await openHub(env)).find(repo, revision),
      ),
      readRemoteShape: async (wanted, signal, quantization) =>
        await (await openHub(env)).inspect(
          { ...wanted, revision: undefined, signal },
          async (files) => await shapeOfFiles(files, quantization),
        ),
      cacheDirectory: this.#home,
      verifyFiles: async (directory, hooks) =>
        await verifyBeforeLoad(directory, { ...hooks, verified: verifiedFiles(this.#home) }),
      gguf: this.#gguf,
      fetchFiles: async ({ repo, hub }, hooks) => {
        const options = { revision: undefined, include: [], exclude: [], verify: false };
        return (await (await openHub(env)).pull({ repo, hub, ...options, ...hooks })).directory;
      },
      log,
      ...parts,
    });
    const metrics = new Metrics({
      list: () => this.supervisor.list(),
      queueOf: (instance) => this.router.queueOf(instance),
      version: packageVersion(),
    });
    this.metrics = metrics;
    this.supervisor.subscribe((change) => {
      if (change.type === "worker-ended") metrics.workerEnded(change);
    });
    this.router = new Router(this.supervisor, {
      watch: (events, about) => observeAnswer(events, about, { metrics, log }),
      watchQueue: (instance, how) => metrics.queued(instance, how),
      maxQueuedRequests,
    });
    this.state = state;
    this.resting = new RestingModels(this.supervisor, { idleMs });
    const { registry, supervisor, resting } = this;
    this.kept = new KeptModels({ database: state, supervisor, resting, log });
    this.events = new EventLog(state);
    this.identity = new Identity({ state, events: this.events, log }, identity);
    this.#access = access;
    recordEvents(supervisor, { events: this.events, log });
    this.responses = new Responses({
      kept: new KeptResponses(state),
      recent: new RecentResponses(),
    });
    this.files = new FileStore(state, {
      directory: settings === undefined ? undefined : join(settings.home, "files"),
    });
    this.batches = this.#newBatches();
    this.xinference = {
      registry,
      cache: new ModelCache({ openHub: () => openHub(env), registry, supervisor }),
      register: (text, how) => registerFile(registry, text, how),
      countGpus: () => countGpus(env),
      listCards: () => listGraphicsCards(env),
      autostart: new AutostartEntries(state),
      history: new LaunchHistory(state),
      era: settings?.compat ?? "3",
      stop,
    };
  }

  #newBatches(): Platform["batches"] {
    const { state, files, metrics } = this;
    const store = new BatchStore(state);
    let app: App | undefined;
    const runner = new BatchRunner({
      store,
      files,
      turns: new Turns(async (model) => await loadOfModel(model, this)),
      execute: executeIn(() => {
        app ??= this.app({ host: "127.0.0.1", isInternal: true });
        return app;
      }),
      onLine: (outcome) => metrics.batchLine(outcome),
      log: this.#log,
    });
    metrics.countUnfinishedBatches(() => runner.numUnfinished);
    return { store, runner };
  }

  /** The models that a server is to start, in this order. */
  async whatStarts(): Promise<readonly KeptModel[]> {
    return whatStarts(await this.kept.list(), await this.xinference.autostart.list());
  }

  /** @throws PlatformError `model_not_found` */
  async modelCard(name: string, format: CardFormat): Promise<string> {
    const { family } = await this.registry.find(name);
    return renderModelCard(family, format, enginesOfFormat);
  }

  /** @throws PlatformError see `reckon-memory.ts` */
  async reckonMemory(question: MemoryQuestion): Promise<ReckonedMemory | undefined> {
    return await reckonMemory(question, this.registry);
  }

  /** @throws PlatformError see `verify-cached.ts` */
  async verifyCached(options: VerifyCached): Promise<readonly VerifiedCopy[]> {
    return await verifyCached(options, {
      hub: await openHub(this.#env),
      registry: this.registry,
      gguf: this.#gguf,
      verified: verifiedFiles(this.#home),
    });
  }

  async vllmModels(): Promise<VllmModels> {
    return await vllmModels(this.registry);
  }

  /** @throws PlatformError see `repo-to-pull.ts` */
  async repoToPull(model: string): Promise<string | RepoOnHubs> {
    return await repoToPull(model, this.registry);
  }

  /** @throws PlatformError see `registration.ts` */
  async registerFile(text: string): Promise<Registered> {
    return await registerFile(this.registry, text);
  }

  /** @throws PlatformError see `registration.ts` */
  async registerDirectory(directory: string, name: string | undefined): Promise<Registered> {
    return await registerDirectory(this.registry, directory, name);
  }

  /** What would listen on `host`; it never does, so that requests can be injected. */
  app({
    host,
    isOllamaPort = false,
    isInternal = false,
  }: {
    readonly host: string;
    readonly isOllamaPort?: boolean;
    /** Whether only this program asks, for somebody who was asked for a key before. */
    readonly isInternal?: boolean;
  }): App {
    const { serverNames = [], corsOrigins = [], trustedProxies = [] } = this.#access;
    return buildApp({
      isInternal,
      identity: this.identity,
      neighbours: {
        ownNames: [urlHost(host), ...serverNames],
        isReachable: !isLoopback(host),
        origins: new Set(corsOrigins.map((origin) => origin.toLowerCase())),
      },
      trustedProxies,
      isOllamaPort,
      supervisor: this.supervisor,
      router: this.router,
      resting: this.resting,
      kept: this.kept,
      events: this.events,
      xinference: this.xinference,
      responses: this.responses,
      files: this.files,
      batches: this.batches,
      log: this.#log,
      metrics: this.metrics,
      version: packageVersion(),
    });
  }

  /**
   * Serve HTTP.
   *
   * @returns the server's address, such as `http://127.0.0.1:9997`
   * @throws PlatformError `address_in_use`, `forbidden`
   */
  async listen({
    host,
    port,
    isOllamaPort = false,
  }: {
    readonly host: string;
    readonly port: number;
    readonly isOllamaPort?: boolean;
  }): Promise<string> {
    const app = this.app({ host, isOllamaPort });
    try {
      await app.listen({ host, port });
    } catch (error) {
      await app.close();
      throw listenError(error, { host, port });
    }
    this.#apps.push(app);
    return `http://${urlHost(host)}:${portOf(app) ?? port}`;
  }

  /**
   * Refuse new work, let the answers under way end for `drainMs`, then free everything.
   *
   * @returns how many answers were cut off
   */
  async close({ drainMs = defaultDrainMs } = {}): Promise<number> {
    this.resting[Symbol.dispose]();
    // Lines that are cut here are done after the next start.
    await this.batches.runner[Symbol.asyncDispose]();
    const numCut = await this.supervisor.close({ drainMs });
    await Promise.all(this.#apps.splice(0).map((app) => app.close()));
    await this.files[Symbol.asyncDispose]();
    await this.identity[Symbol.asyncDispose]();
    await this.state[Symbol.asyncDispose]();
    return numCut;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ drainMs: 0 });
  }
}

/**
 * The hubs that models come from, as the environment describes them.
 *
 * @throws PlatformError `invalid_request`, naming the variable that cannot be used
 */
export async function openHub(env: NodeJS.ProcessEnv): Promise<Hub> {
  const verified = verifiedFiles(atalayaHome(env));
  return await Hub.fromEnvironment(env, { version: packageVersion(), verified });
}

/**
 * What survives this server, under `ATALAYA_HOME`.
 *
 * @throws PlatformError `state_in_use`, `state_unusable`, `disk_full`
 */
export async function openState({ home }: Pick<Settings, "home">): Promise<ServerState> {
  return await openServerState({ home, version: packageVersion() });
}

async function shapeOfFiles(files: RemoteFiles, quantization: string): Promise<ModelShape> {
  const { repo: name, sizes } = files;
  const read = async (path: string, start: number, end: number): Promise<Uint8Array> =>
    await files.read(path, start, end);
  return await shapeOfRemote({ name, sizes, read }, quantization);
}

/** What is known of files whose checksums were compared. */
function verifiedFiles(home: string): VerifiedFiles {
  return new VerifiedFiles(join(home, "verified"));
}

/** Where a platform without settings keeps what it derives from models. */
function ownHome(settings: PlatformOptions["settings"]): string {
  return settings?.home ?? readSettings({}, process.env).home;
}

/**
 * Keys and accounts of this home, for commands that manage them; a server may run or not.
 *
 * @throws PlatformError `state_unusable`, `disk_full`
 */
export async function openIdentity(
  { home }: Pick<Settings, "home">,
  log: Logger,
): Promise<{ readonly identity: Identity } & AsyncDisposable> {
  const state = await openSharedState({ home, version: packageVersion() });
  const identity = identityOn(state, { isRequired: true }, log);
  return {
    identity,
    [Symbol.asyncDispose]: async () => {
      await identity[Symbol.asyncDispose]();
      await state[Symbol.asyncDispose]();
    },
  };
}

/** Keys and accounts in a state that is open already. */
export function identityOn(state: StateDatabase, options: IdentityOptions, log: Logger): Identity {
  return new Identity({ state, events: new EventLog(state), log }, options);
}

function openRegistry(settings: PlatformOptions["settings"]): Registry {
  return new Registry({
    builtinDirectory: builtinModels(),
    registrationsDirectory: settings === undefined ? undefined : join(settings.home, "models"),
    modelRoots: settings?.modelRoots ?? [],
  });
}

function portOf(app: App): number | undefined {
  const address: AddressInfo | string | null = app.server.address();
  return typeof address === "object" ? address?.port : undefined;
}

function listenError(
  error: unknown,
  { host, port }: { readonly host: string; readonly port: number },
): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return new PlatformError(
      "address_in_use",
      `Port ${port} on ${host} is taken by another program. Choose another with --port or ATALAYA_PORT, such as ATALAYA_PORT=${port === 9998 ? 9999 : 9998}.`,
      { cause: error },
    );
  }
  if (code === "EADDRNOTAVAIL") {
    return new PlatformError(
      "invalid_request",
      `This machine has no address ${host}. Choose another with --host or ATALAYA_HOST.`,
      { cause: error },
    );
  }
  if (code === "EACCES") {
    return new PlatformError(
      "forbidden",
      `You may not listen on port ${port}. Choose one above 1023 with --port or ATALAYA_PORT.`,
      { cause: error },
    );
  }
  return error;
}

/**
 * Write a checkpoint of the real shapes with random weights.
 *
 * @throws PlatformError `invalid_request`, `disk_full`, `cache_unusable`
 */
export async function makeCheckpoint(wish: CheckpointToMake): Promise<MadeCheckpoint> {
  // Rarely asked for.
  const { makeCheckpoint: make } = await import("./engines/random-checkpoint/make-checkpoint.ts");
  return await make(wish);
}
