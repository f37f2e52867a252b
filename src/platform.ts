/** Wires everything together; the only file that knows all the others. */
import type { AddressInfo } from "node:net";
import { PlatformError } from "./base/errors.ts";
import type { Logger } from "./base/logger.ts";
import { demoCheckpoint, packageVersion } from "./config/package.ts";
import { urlHost } from "./config/settings.ts";
import { findEngine } from "./engines/catalog.ts";
import { Hub } from "./hub/hub.ts";
import { type MediaPolicy, mediaFetcher } from "./media/media-fetcher.ts";
import { Pipeline } from "./pipeline/pipeline.ts";
import { buildApp } from "./server/app.ts";
import type { App } from "./server/http.ts";
import { RestingModels } from "./supervisor/resting-models.ts";
import { Router } from "./supervisor/router.ts";
import { defaultDrainMs, Supervisor, type SupervisorParts } from "./supervisor/supervisor.ts";

export type { CachedModel } from "./hub/cached-models.ts";
export type { Hub } from "./hub/hub.ts";
export type { PullEvent, PullPlan } from "./hub/pull.ts";

export type PlatformOptions = {
  readonly log: Logger;
  /** Which addresses pictures may be read from; public hosts alone when absent. */
  readonly media?: MediaPolicy;
  /** Where the hubs' caches lie is read from it; the process's own when absent. */
  readonly env?: NodeJS.ProcessEnv;
  /** Parts to use in place of the real ones. */
  readonly parts?: Partial<SupervisorParts>;
};

const defaultMedia: MediaPolicy = { fetchRemote: true, root: undefined };

/** Everything that runs in this process. Disposing it ends the servers and frees the models at once. */
export class Platform implements AsyncDisposable {
  readonly supervisor: Supervisor;
  readonly router: Router;
  readonly #log: Logger;
  readonly resting: RestingModels;
  readonly #apps: App[] = [];

  constructor({ log, media = defaultMedia, env = process.env, parts }: PlatformOptions) {
    const fetchMedia = mediaFetcher(media);
    this.#log = log;
    this.supervisor = new Supervisor({
      findEngine,
      openPipeline: (directory) => Pipeline.open(directory, { fetchMedia }),
      demoDirectory: demoCheckpoint(),
      findCached: async (repo) => await (await openHub(env)).find(repo),
      log,
      ...parts,
    });
    this.router = new Router(this.supervisor);
    this.resting = new RestingModels(this.supervisor);
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
    const app = buildApp({
      ownNames: [urlHost(host)],
      isOllamaPort,
      supervisor: this.supervisor,
      router: this.router,
      resting: this.resting,
      log: this.#log,
      version: packageVersion(),
    });
    try {
      await app.listen({ host, port });
    } catch (error) {
      await app.close();
      throw listenError(error, { host, port });
    }
    this.#apps.push(app);
    return `http://${urlHost(host)}:${portOf(app) ?? port}`;
  }

  /** Refuse new work, let the answers under way end for `drainMs`, then free everything. */
  async close({ drainMs = defaultDrainMs } = {}): Promise<void> {
    this.resting[Symbol.dispose]();
    await this.supervisor.close({ drainMs });
    await Promise.all(this.#apps.splice(0).map((app) => app.close()));
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
  return await Hub.fromEnvironment(env, { version: packageVersion() });
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
  if (code === "EACCES") {
    return new PlatformError(
      "forbidden",
      `You may not listen on port ${port}. Choose one above 1023 with --port or ATALAYA_PORT.`,
      { cause: error },
    );
  }
  return error;
}
