/**
 * Hugging Face's API as the test hub speaks it.
 *
 * Modelled on recorded answers of the real hub; that `huggingface_hub` 1.33 and 2.0.0 accept it is
 * tested in `test/conformance/hugging-face-cache.test.ts`.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Exchange, type HubState, sendJson } from "./exchange.ts";
import { serveBytes } from "./faults.ts";
import {
  etagOf,
  gitSha1Of,
  type HubFile,
  type HubRepo,
  pointerOf,
  sha256Of,
} from "./repo-content.ts";
import { serveXet } from "./xet-routes.ts";

/** Entries on a page of a listing: few, so that there are several pages. */
const pageLength = 3;

const xetFileInfo = "application/vnd.xet-fileinfo+json";

/** @returns whether the request was one of this API's */
export async function serveHuggingFace(exchange: Exchange, hub: HubState): Promise<boolean> {
  const { url, request, response } = exchange;
  if (serveXet(exchange, hub)) return true;
  const path = decodeURIComponent(url.pathname);
  const api =
    /^\/api\/models\/([^/]+\/[^/]+?)(?:\/(revision|tree|paths-info|xet-read-token)\/(.+))?$/.exec(
      path,
    );
  const file = /^\/([^/]+\/[^/]+)\/(resolve|raw)\/([^/]+)\/(.+)$/.exec(path);
  const id = api?.[1] ?? file?.[1];
  if (id === undefined || path.startsWith("/api/v1/")) return false;
  const renamed = hub.renames.get(id);
  if (renamed !== undefined) {
    response.writeHead(307, { location: url.pathname.replace(id, renamed) + url.search }).end();
    return true;
  }
  const repo = hub.repos.get(id);
  const isFile = file !== null;
  if (repo === undefined || !mayRead(repo, request, isFile || hub.gatesEverything)) {
    refuse(response, repo, request);
    return true;
  }
  const revision = api?.[3] ?? file?.[3] ?? "main";
  if (!["main", repo.commit].includes(revision)) {
    sendError(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    return true;
  }
  if (file !== null)
    await serveFile(exchange, hub, { repo, isRaw: file[2] === "raw", path: file[4] ?? "" });
  else if (api?.[2] === "tree") serveTree(exchange, hub, repo);
  else if (api?.[2] === "paths-info") await servePathsInfo(exchange, repo);
  else if (api?.[2] === "xet-read-token") serveXetToken(exchange);
  else serveInfo(exchange, hub, repo);
  return true;
}

function serveInfo(
  { response, log }: Exchange,
  hub: HubState,
  { id, commit, files, access, licence }: HubRepo,
): void {
  log.at = "info";
  const fault = hub.faults.take("info");
  if (fault?.type === "answer") {
    response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
    return;
  }
  sendJson(
    response,
    200,
    {
      _id: "650000000000000000000000",
      id,
      modelId: id,
      sha: commit,
      private: access === "private",
      gated: access === "gated" ? "manual" : false,
      tags: licence === undefined ? [] : [`license:${licence}`],
      ...(licence === undefined ? {} : { cardData: { license: licence } }),
      siblings: files.map(({ path }) => ({ rfilename: path })),
      lastModified: "2026-01-01T00:00:00.000Z",
      downloads: 0,
      likes: 0,
    },
    { "x-repo-commit": commit },
  );
}

function serveTree({ url, response, log }: Exchange, hub: HubState, repo: HubRepo): void {
  log.at = "tree";
  const fault = hub.faults.take("tree");
  if (fault?.type === "answer") {
    response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
    return;
  }
  if (fault?.type === "endless") {
    response.writeHead(200, { "content-type": "application/json" });
    const write = (): void => {
      while (!response.destroyed && response.write(" ".repeat(65_536)));
    };
    response.on("drain", write);
    write();
    return;
  }
  const entries = [...directoriesOf(repo.files), ...repo.files.map(toEntry)];
  const start = Number(url.searchParams.get("cursor") ?? 0);
  const end = start + pageLength;
  const next = new URL(url);
  next.searchParams.set("cursor", `${end}`);
  sendJson(response, 200, entries.slice(start, end), {
    "x-repo-commit": repo.commit,
    ...(end < entries.length ? { link: `<${next.href}>; rel="next"` } : {}),
  });
}

async function servePathsInfo({ request, response }: Exchange, repo: HubRepo): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  const paths = text.startsWith("{")
    ? (JSON.parse(text) as { paths: string[] }).paths
    : new URLSearchParams(text).getAll("paths");
  sendJson(response, 200, repo.files.filter(({ path }) => paths.includes(path)).map(toEntry));
}

async function serveFile(
  exchange: Exchange,
  hub: HubState,
  { repo, isRaw, path }: { repo: HubRepo; isRaw: boolean; path: string },
): Promise<void> {
  const { request, response, log } = exchange;
  log.at = "resolve";
  log.file = path;
  const file = repo.files.find((candidate) => candidate.path === path);
  if (file === undefined) {
    sendError(response, 404, "EntryNotFound", "Entry not found", { "x-repo-commit": repo.commit });
    return;
  }
  const fault = hub.faults.take("resolve", path);
  const commit = fault?.type === "other-commit" ? fault.commit : repo.commit;
  const headers = { "x-repo-commit": commit, "x-request-id": "test" };
  if (fault?.type === "answer") {
    response.writeHead(fault.status, { ...headers, ...fault.headers }).end(fault.body ?? "");
    return;
  }
  if (isRaw && file.isLfs) {
    response.writeHead(200, headers).end(pointerOf(file));
    return;
  }
  if (file.isLfs) {
    redirectToCdn(exchange, hub, { file, headers });
    return;
  }
  if (request.method === "HEAD") {
    response.writeHead(200, {
      ...headers,
      etag: `"${etagOf(file)}"`,
      "content-length": `${file.bytes.length}`,
      "accept-ranges": "bytes",
    });
    response.end();
    return;
  }
  await serveBytes(response, {
    bytes: file.bytes,
    range: request.headers.range,
    headers: { ...headers, etag: `"${etagOf(file)}"`, "content-type": "text/plain; charset=utf-8" },
    fault,
    onSent: (numBytes) => (log.sentBytes += numBytes),
  });
}

function redirectToCdn(
  { request, response, url }: Exchange,
  hub: HubState,
  { file, headers }: { file: HubFile; headers: Record<string, string> },
): void {
  const digest = sha256Of(file.bytes);
  const linked = {
    ...headers,
    "x-linked-etag": `"${digest}"`,
    "x-linked-size": `${file.bytes.length}`,
  };
  const [, id = ""] = /^\/([^/]+\/[^/]+)\//.exec(decodeURIComponent(url.pathname)) ?? [];
  const token = `${url.origin}/api/models/${id}/xet-read-token/main`;
  const xet = {
    "x-xet-hash": digest,
    link: `<${token}>; rel="xet-auth", <${url.origin}/v1/reconstructions/${digest}>; rel="xet-reconstruction-info"`,
  };
  if (hub.usesXet && request.headers.accept?.includes(xetFileInfo) === true) {
    const headers = { ...linked, ...xet, "content-type": xetFileInfo };
    sendJson(response, 200, { hash: digest }, headers);
    return;
  }
  response.writeHead(302, {
    ...linked,
    etag: '"unrelated"',
    location: hub.signedUrl(file),
    "content-type": "text/plain",
    ...(hub.usesXet ? xet : {}),
  });
  response.end("Found");
}

function serveXetToken({ response, url }: Exchange): void {
  const [accessToken, casUrl, exp] = ["xet-token", url.origin, Math.floor(Date.now() / 1_000) + 60];
  sendJson(
    response,
    200,
    { accessToken, casUrl, exp },
    {
      "x-xet-cas-url": casUrl,
      "x-xet-access-token": accessToken,
      "x-xet-token-expiration": `${exp}`,
    },
  );
}

/** What a listing says of a file; git knows an outside file by its pointer. */
function toEntry(file: HubFile): Record<string, unknown> {
  const { path, bytes, isLfs } = file;
  if (!isLfs) return { type: "file", path, size: bytes.length, oid: gitSha1Of(bytes) };
  const pointer = Buffer.from(pointerOf(file));
  return {
    type: "file",
    path,
    size: bytes.length,
    oid: gitSha1Of(pointer),
    lfs: { oid: sha256Of(bytes), size: bytes.length, pointerSize: pointer.length },
  };
}

function directoriesOf(files: readonly HubFile[]): Record<string, unknown>[] {
  const names = new Set(
    files.flatMap(({ path }) => (path.includes("/") ? [path.slice(0, path.lastIndexOf("/"))] : [])),
  );
  return [...names].map((path) => ({ type: "directory", path, size: 0, oid: "0".repeat(40) }));
}

function tokenOf(request: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
}

function mayRead({ access }: HubRepo, request: IncomingMessage, isGuarded: boolean): boolean {
  const token = tokenOf(request);
  if (token === "hf_unknown") return false;
  if (access === "public" || (access === "gated" && !isGuarded)) return true;
  return token === "hf_granted";
}

function refuse(
  response: ServerResponse,
  repo: HubRepo | undefined,
  request: IncomingMessage,
): void {
  const token = tokenOf(request);
  if (token === "hf_unknown") {
    sendError(response, 401, undefined, "Invalid credentials in Authorization header");
  } else if (repo?.access === "gated") {
    sendError(
      response,
      token === undefined ? 401 : 403,
      "GatedRepo",
      `Access to model ${repo.id} is restricted.`,
    );
  } else {
    sendError(response, token === undefined ? 401 : 404, "RepoNotFound", "Repository not found");
  }
}

function sendError(
  response: ServerResponse,
  status: number,
  code: string | undefined,
  message: string,
  headers: Record<string, string> = {},
): void {
  sendJson(
    response,
    status,
    { error: message },
    {
      "x-error-message": message,
      ...(code === undefined ? {} : { "x-error-code": code }),
      ...headers,
    },
  );
}
