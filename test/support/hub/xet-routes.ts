/**
 * The content store behind Xet as the test hub speaks it: how a file is put together, and the one xorb that each
 * file is here. Chunks are stored as they are.
 */
import type { ServerResponse } from "node:http";
import { type Exchange, type HubState, sendJson } from "./exchange.ts";
import { type HubFile, sha256Of } from "./repo-content.ts";

/** The most that one chunk holds. */
const chunkBytes = 65_536;
const headerBytes = 8;

/** @returns whether the request was one of the store's */
export function serveXet(exchange: Exchange, hub: HubState): boolean {
  const { url, request, response, log } = exchange;
  const [, version, kind, hash] =
    /^\/(v1|v2)\/(reconstructions|xorbs)\/([0-9a-f]{64})$/.exec(url.pathname) ?? [];
  if (hash === undefined) return false;
  log.at = "cas";
  const file = [...hub.repos.values()]
    .flatMap(({ files }) => files)
    .find(({ bytes }) => sha256Of(bytes) === hash);
  if (file === undefined) {
    response.writeHead(404).end();
  } else if (kind === "xorbs") {
    sendRange(response, xorbOf(file.bytes), request.headers.range);
  } else if (request.headers.authorization !== "Bearer xet-token") {
    response.writeHead(401).end();
  } else {
    sendReconstruction(exchange, { file, hash, version: version ?? "v1" });
  }
  return true;
}

function sendReconstruction(
  { url, request, response }: Exchange,
  {
    file,
    hash,
    version,
  }: { readonly file: HubFile; readonly hash: string; readonly version: string },
): void {
  const [, first = "0", last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const start = Number(first);
  // Clients ask for the next hundreds of megabytes at once, to see where the file ends.
  if (start >= file.bytes.length) {
    response.writeHead(416).end();
    return;
  }
  const end = Math.min(
    last === undefined || last === "" ? Number.POSITIVE_INFINITY : Number(last),
    file.bytes.length - 1,
  );
  const [firstChunk, lastChunk] = [
    Math.floor(start / chunkBytes),
    Math.floor(end / chunkBytes) + 1,
  ];
  const chunks = { start: firstChunk, end: lastChunk };
  const stored = Math.min(lastChunk * chunkBytes, file.bytes.length) + lastChunk * headerBytes;
  const bytes = { start: firstChunk * (chunkBytes + headerBytes), end: stored - 1 };
  const address = `${url.origin}/v1/xorbs/${hash}`;
  const unpacked = Math.min(lastChunk * chunkBytes, file.bytes.length) - firstChunk * chunkBytes;
  const common = {
    offset_into_first_range: start - firstChunk * chunkBytes,
    terms: [{ hash, unpacked_length: unpacked, range: chunks }],
  };
  sendJson(
    response,
    200,
    version === "v2"
      ? { ...common, xorbs: { [hash]: [{ url: address, ranges: [{ chunks, bytes }] }] } }
      : { ...common, fetch_info: { [hash]: [{ range: chunks, url: address, url_range: bytes }] } },
  );
}

/** Each chunk behind eight bytes: version, stored length, compression, length. */
function xorbOf(content: Uint8Array): Buffer {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < content.length; start += chunkBytes) {
    const chunk = content.subarray(start, start + chunkBytes);
    const header = Buffer.alloc(headerBytes);
    header.writeUIntLE(chunk.length, 1, 3);
    header.writeUIntLE(chunk.length, 5, 3);
    parts.push(header, chunk);
  }
  return Buffer.concat(parts);
}

function sendRange(response: ServerResponse, content: Buffer, range: string | undefined): void {
  const [, first = "0", last = `${content.length - 1}`] =
    /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  const [start, end] = [Number(first), Math.min(Number(last), content.length - 1)];
  response
    .writeHead(206, {
      "content-range": `bytes ${start}-${end}/${content.length}`,
      "content-length": end - start + 1,
    })
    .end(content.subarray(start, end + 1));
}
