/**
 * ModelScope's API as the test hub speaks it. Read in its SDK (`modelscope_hub`, July 2026), which cannot
 * be installed beside these tests: nobody but our own client has asked this.
 */
import { type Exchange, type HubState, sendJson } from "./exchange.ts";
import { serveBytes } from "./faults.ts";
import { type HubRepo, sha256Of } from "./repo-content.ts";

/** What is larger lies on the content network. */
const directBytes = 1_000;

/** @returns whether the request was one of this API's */
export async function serveModelScope(exchange: Exchange, hub: HubState): Promise<boolean> {
  const { url, request, response, log } = exchange;
  const [, id, rest] =
    /^\/api\/v1\/models\/([^/]+\/[^/]+?)(\/repo\/files|\/repo|\/revisions)?$/.exec(url.pathname) ??
    [];
  if (id === undefined) return false;
  const places = {
    "/repo/files": "ms-files",
    "/repo": "ms-file",
    "/revisions": "ms-revisions",
  } as const;
  const at = rest === undefined ? "ms-model" : places[rest as keyof typeof places];
  log.at = at;
  const path = url.searchParams.get("FilePath") ?? undefined;
  log.file = path;
  const fault = hub.faults.take(at, path);
  if (fault?.type === "answer") {
    response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
    return true;
  }
  const repo = hub.repos.get(id);
  if (repo === undefined) {
    sendJson(response, 404, {
      Code: 404,
      Success: false,
      Message: "model not found",
      RequestId: "test",
    });
    return true;
  }
  const isKnown =
    request.headers.cookie === "m_session_id=ms-granted" ||
    request.headers.authorization === "Bearer ms-granted";
  if (repo.access !== "public" && !isKnown) {
    sendJson(response, 403, {
      Code: 403,
      Success: false,
      Message: "no permission",
      RequestId: "test",
    });
    return true;
  }
  if (at === "ms-file") await serveFile(exchange, hub, { repo, path: path ?? "", fault });
  else sendData(exchange, dataOf(at, repo));
  return true;
}

function dataOf(at: "ms-model" | "ms-files" | "ms-revisions", repo: HubRepo): unknown {
  if (at === "ms-model") return { Name: repo.id.split("/")[1], License: repo.licence ?? "" };
  if (at === "ms-revisions") {
    return { RevisionMap: { Branches: [{ Revision: "master", CreatedAt: 0 }], Tags: [] } };
  }
  const directories = new Set(
    repo.files.flatMap(({ path }) =>
      path.includes("/") ? [path.slice(0, path.lastIndexOf("/"))] : [],
    ),
  );
  return {
    Files: [
      ...[...directories].map((path) => ({
        Name: path,
        Path: path,
        Type: "tree",
        Size: 0,
        Sha256: "",
      })),
      ...repo.files.map(({ path, bytes, isLfs }) => ({
        Name: path.split("/").at(-1),
        Path: path,
        Type: "blob",
        Size: bytes.length,
        Sha256: sha256Of(bytes),
        IsLFS: isLfs,
        Revision: repo.commit,
      })),
    ],
  };
}

async function serveFile(
  { request, response, log }: Exchange,
  hub: HubState,
  {
    repo,
    path,
    fault,
  }: { repo: HubRepo; path: string; fault: ReturnType<HubState["faults"]["take"]> },
): Promise<void> {
  const file = repo.files.find((candidate) => candidate.path === path);
  if (file === undefined) {
    sendJson(response, 404, { Code: 404, Success: false, Message: "file not found" });
  } else if (file.bytes.length > directBytes) {
    response.writeHead(302, { location: hub.signedUrl(file) }).end();
  } else {
    await serveBytes(response, {
      bytes: file.bytes,
      range: request.headers.range,
      headers: { "content-type": "application/octet-stream" },
      fault,
      onSent: (numBytes) => (log.sentBytes += numBytes),
    });
  }
}

function sendData({ response }: Exchange, data: unknown): void {
  sendJson(response, 200, {
    Code: 200,
    Success: true,
    Message: "success",
    RequestId: "test",
    Data: data,
  });
}
