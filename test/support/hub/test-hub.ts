/**
 * A model hub on this machine that speaks as Hugging Face and as ModelScope do, and goes wrong in every
 * way that a test asks for.
 *
 * Its content network has another host name (`localhost`, and the hub `127.0.0.1`): clients compare
 * names, and must not send there what is the hub's alone. Every request is logged.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Exchange, type HubState, type LoggedRequest, sendJson } from "./exchange.ts";
import { Faults, type HubFault, type HubPlace, serveBytes } from "./faults.ts";
import { serveHuggingFace } from "./hugging-face-routes.ts";
import { serveModelScope } from "./model-scope-routes.ts";
import { commitOf, type HubFile, type HubRepo, sha256Of } from "./repo-content.ts";

export class TestHub implements HubState, AsyncDisposable {
  readonly log: LoggedRequest[] = [];
  readonly faults = new Faults();
  readonly repos = new Map<string, HubRepo>();
  /** Old id → new id. */
  readonly renames = new Map<string, string>();
  /** Whether a gated repository hides its list of files too. */
  gatesEverything = false;
  /** Whether files are also offered over Xet. */
  usesXet = false;
  /** How long an address of the content network is good. */
  signedForMs = 60_000;
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor() {
    this.#hub = createServer((request, response) => this.#answer("hub", request, response));
    this.#cdn = createServer((request, response) => this.#answer("cdn", request, response));
  }

  static async start(): Promise<TestHub> {
    const hub = new TestHub();
    await Promise.all([listen(hub.#hub, "127.0.0.1"), listen(hub.#cdn, "localhost")]);
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#hub)}`;
  }

  get cdnUrl(): string {
    return `http://localhost:${portOf(this.#cdn)}`;
  }

  addRepo(
    id: string,
    files: readonly HubFile[],
    options: Partial<Pick<HubRepo, "access" | "licence">> = {},
  ): HubRepo {
    const { access = "public", licence } = options;
    const repo: HubRepo = { id, files, commit: commitOf(files), access, licence };
    this.repos.set(id, repo);
    return repo;
  }

  /** The branch moves on to other files. */
  moveBranch(id: string, files: readonly HubFile[]): void {
    const repo = this.repos.get(id);
    if (repo === undefined) throw new Error(`no repo ${id}`);
    repo.files = files;
    repo.commit = commitOf(files);
  }

  fault(fault: HubFault): void {
    this.faults.add(fault);
  }

  signedUrl({ path, bytes }: HubFile): string {
    const query = new URLSearchParams({ path, expires: `${Date.now() + this.signedForMs}` });
    return `${this.cdnUrl}/${sha256Of(bytes)}?${query}`;
  }

  /** Bytes of files that went out, in all or of one file. */
  sentBytes(path?: string): number {
    return this.log
      .filter(({ file }) => path === undefined || file === path)
      .reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  requests(at: HubPlace, path?: string): LoggedRequest[] {
    return this.log.filter(
      (entry) => entry.at === at && (path === undefined || entry.file === path),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([close(this.#hub), close(this.#cdn)]);
  }

  #answer(server: "hub" | "cdn", request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", server === "hub" ? this.url : this.cdnUrl);
    const log: LoggedRequest = {
      server,
      method: request.method ?? "",
      path: `${url.pathname}${url.search}`,
      range: request.headers.range,
      authorization: request.headers.authorization,
      cookie: request.headers.cookie,
      accept: request.headers.accept,
      acceptEncoding: headerText(request.headers["accept-encoding"]),
      userAgent: request.headers["user-agent"],
      sentBytes: 0,
    };
    this.log.push(log);
    const exchange: Exchange = { request, response, url, log };
    response.on("error", () => undefined);
    const work = server === "cdn" ? this.#serveCdn(exchange) : this.#serveHub(exchange);
    work.catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  }

  async #serveHub(exchange: Exchange): Promise<void> {
    const isKnown =
      (await serveModelScope(exchange, this)) || (await serveHuggingFace(exchange, this));
    if (!isKnown) sendJson(exchange.response, 404, { error: "no such page" });
  }

  async #serveCdn({ request, response, url, log }: Exchange): Promise<void> {
    log.at = "cdn";
    const path = url.searchParams.get("path") ?? "";
    log.file = path;
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined || cookie !== undefined) {
      // Stores behind signed addresses refuse a second kind of credentials.
      response.writeHead(500).end("credentials that are not mine");
      return;
    }
    if (Number(url.searchParams.get("expires")) < Date.now()) {
      response.writeHead(403).end("the signature has expired");
      return;
    }
    const digest = url.pathname.slice(1);
    const file = [...this.repos.values()]
      .flatMap(({ files }) => files)
      .find((candidate) => candidate.path === path && sha256Of(candidate.bytes) === digest);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    await serveBytes(response, {
      bytes: file.bytes,
      range: request.headers.range,
      headers: { etag: '"of-the-store"', "content-type": "binary/octet-stream" },
      fault: this.faults.take("cdn", path),
      onSent: (numBytes) => (log.sentBytes += numBytes),
    });
  }
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}

async function listen(server: Server, host: string): Promise<void> {
  server.listen(0, host);
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve).once("error", reject);
  });
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return address.port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
