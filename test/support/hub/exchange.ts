/** A question to the test hub, and what its routes know of the hub. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Faults, HubPlace } from "./faults.ts";
import type { HubFile, HubRepo } from "./repo-content.ts";

export type LoggedRequest = {
  readonly server: "hub" | "cdn";
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
  readonly accept: string | undefined;
  readonly acceptEncoding: string | undefined;
  readonly userAgent: string | undefined;
  at?: HubPlace;
  /** The file it is about. */
  file?: string | undefined;
  /** Of a file's bytes, handed to the connection. */
  sentBytes: number;
};

export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly log: LoggedRequest;
};

/** What a test has set. */
export interface HubState {
  readonly faults: Faults;
  readonly repos: ReadonlyMap<string, HubRepo>;
  /** Old id → new id. */
  readonly renames: ReadonlyMap<string, string>;
  /** Whether a gated repository hides its list of files too. */
  readonly gatesEverything: boolean;
  /** Whether files are also offered over Xet. */
  readonly usesXet: boolean;
  /** On the content network, good for a while. */
  signedUrl(file: HubFile): string;
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  response.end(JSON.stringify(value));
}
