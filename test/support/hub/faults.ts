/** What can go wrong with an answer, and how the test hub makes it go wrong. */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Where on the test hub: each of its routes has a name. */
export type HubPlace =
  | "cas"
  | "info"
  | "tree"
  | "resolve"
  | "cdn"
  | "ms-model"
  | "ms-files"
  | "ms-revisions"
  | "ms-file";

export type HubFault = {
  readonly at: HubPlace;
  /** Only for this file; for every one when absent. */
  readonly path?: string;
  /** How often; for ever when absent. */
  readonly times?: number;
  readonly does: FaultAction;
};

export type FaultAction =
  /** An answer of its own instead of the right one. */
  | {
      readonly type: "answer";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** The body ends with the connection. */
  | { readonly type: "cut"; readonly afterBytes: number }
  /** A shorter body, and a length that says so. */
  | { readonly type: "short"; readonly byBytes: number }
  | { readonly type: "flip"; readonly atByte: number }
  /** Nothing more comes, and the connection stays. */
  | { readonly type: "stall"; readonly afterBytes: number }
  /** Nothing comes before a test lets it. */
  | { readonly type: "hold"; readonly until: Promise<void> }
  | { readonly type: "slow"; readonly chunkBytes: number; readonly everyMs: number }
  | { readonly type: "ignore-range" }
  | { readonly type: "wrong-range-start" }
  | { readonly type: "other-total" }
  /** A body without a length that never ends. */
  | { readonly type: "endless" }
  /** Compressed, though that was not asked for. */
  | { readonly type: "gzip" }
  /** Another commit than was asked for. */
  | { readonly type: "other-commit"; readonly commit: string };

/** A login page of some proxy, with status 200. */
export const loginPage: FaultAction = {
  type: "answer",
  status: 200,
  headers: { "content-type": "text/html; charset=utf-8" },
  body: "<!doctype html><title>Please log in</title>",
};

export class Faults {
  readonly #faults: { fault: HubFault; left: number }[] = [];

  add(fault: HubFault): void {
    this.#faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#faults.length = 0;
  }

  /** What happens to this request, and count it. */
  take(at: HubPlace, path?: string): FaultAction | undefined {
    const found = this.#faults.find(
      ({ fault, left }) =>
        left > 0 && fault.at === at && (fault.path === undefined || fault.path === path),
    );
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.fault.does;
  }
}

export type Served = {
  readonly bytes: Buffer;
  readonly range: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly fault: FaultAction | undefined;
  /** Told how many bytes have been handed to the connection. */
  readonly onSent: (numBytes: number) => void;
};

/** A file's bytes or a range of them, right or with a fault. */
export async function serveBytes(response: ServerResponse, served: Served): Promise<void> {
  const { bytes, headers, fault } = served;
  if (fault?.type === "answer") {
    response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
    return;
  }
  const range = fault?.type === "ignore-range" ? undefined : parseRange(served.range, bytes.length);
  if (range === "unsatisfiable") {
    response.writeHead(416, { ...headers, "content-range": `bytes */${bytes.length}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: bytes.length };
  let body = bytes.subarray(start, end);
  if (fault?.type === "short") body = body.subarray(0, Math.max(0, body.length - fault.byBytes));
  if (fault?.type === "flip" && start <= fault.atByte && fault.atByte < end) {
    body = Buffer.from(body);
    body[fault.atByte - start] = (body[fault.atByte - start] ?? 0) ^ 1;
  }
  const told = fault?.type === "wrong-range-start" ? start + 1 : start;
  const total = fault?.type === "other-total" ? bytes.length + 1 : bytes.length;
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    "accept-ranges": "bytes",
    ...(fault?.type === "endless" ? {} : { "content-length": `${body.length}` }),
    ...(fault?.type === "gzip" ? { "content-encoding": "gzip" } : {}),
    ...(range === undefined ? {} : { "content-range": `bytes ${told}-${end - 1}/${total}` }),
  });
  await sendBody(response, body, served);
}

async function sendBody(
  response: ServerResponse,
  body: Buffer,
  { fault, onSent }: Served,
): Promise<void> {
  if (fault?.type === "hold") await fault.until;
  const chunkBytes = fault?.type === "slow" ? fault.chunkBytes : 64 * 1024;
  const limit = fault?.type === "cut" || fault?.type === "stall" ? fault.afterBytes : body.length;
  for (let position = 0; position < Math.min(limit, body.length); ) {
    if (response.destroyed) return;
    const chunk = body.subarray(position, Math.min(position + chunkBytes, limit));
    await send(response, chunk);
    position += chunk.length;
    onSent(chunk.length);
    if (fault?.type === "slow") await sleep(fault.everyMs);
  }
  if (fault?.type === "cut" && limit < body.length) response.destroy();
  else if (fault?.type === "endless") await sendForEver(response, onSent);
  else if (fault?.type !== "stall") response.end();
}

async function sendForEver(
  response: ServerResponse,
  onSent: (numBytes: number) => void,
): Promise<void> {
  const chunk = Buffer.alloc(64 * 1024, 0x20);
  while (!response.destroyed) {
    await send(response, chunk);
    onSent(chunk.length);
  }
}

async function send(response: ServerResponse, chunk: Buffer): Promise<void> {
  if (response.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.once("drain", done).once("close", done);
  });
}

function parseRange(
  header: string | undefined,
  length: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined) return undefined;
  const start = Number(first);
  if (start >= length) return "unsatisfiable";
  return {
    start,
    end: last === "" || last === undefined ? length : Math.min(Number(last) + 1, length),
  };
}
