/**
 * The connections to one worker. A call that is cut short resets its HTTP/2 stream, and a server that sees
 * more than about a thousand resets takes them for an attack (CVE-2023-44487) and ends the connection, with every
 * answer on it. So after some hundred of them new calls get a new connection, and the old one ends when its last call does.
 */
import { connect } from "node:net";
import { Engine as EngineService } from "@atalaya/protocol/engine";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** Node's server bears 1,000 at once, and 33 more each second. */
const MAX_RESETS = 500;

type Connection = {
  readonly client: Client<typeof EngineService>;
  readonly close: () => void;
  numCalls: number;
  numResets: number;
};

/** One call, until `end`. */
export type WorkerCall = {
  readonly client: Client<typeof EngineService>;
  /** @param isWhole false when it was cut short */
  readonly end: (isWhole: boolean) => void;
};

type MessageLimits = { readonly maxRequestBytes: number; readonly maxReplyBytes: number };

export class WorkerConnections {
  readonly #path: string;
  readonly #limits: MessageLimits;
  readonly #open = new Set<Connection>();
  #current: Connection;

  /** @param path of the worker's socket; nothing is connected until the first call */
  constructor(path: string, limits: MessageLimits) {
    this.#path = path;
    this.#limits = limits;
    this.#current = this.#connect();
  }

  /** For calls that are never cut short. */
  get client(): Client<typeof EngineService> {
    return this.#current.client;
  }

  begin(): WorkerCall {
    const connection = this.#current;
    connection.numCalls++;
    return {
      client: connection.client,
      end: (isWhole) => {
        connection.numCalls--;
        if (!isWhole) connection.numResets++;
        if (connection === this.#current && connection.numResets >= MAX_RESETS) {
          this.#current = this.#connect();
        }
        if (connection !== this.#current && connection.numCalls === 0) this.#end(connection);
      },
    };
  }

  close(): void {
    for (const connection of this.#open) this.#end(connection);
  }

  #end(connection: Connection): void {
    this.#open.delete(connection);
    connection.close();
  }

  #connect(): Connection {
    const baseUrl = "http://engine";
    const sessionManager = new Http2SessionManager(
      baseUrl,
      {},
      {
        createConnection: () => connect(this.#path),
        settings: { initialWindowSize: 4 * 1024 * 1024 },
      },
    );
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager,
      readMaxBytes: this.#limits.maxReplyBytes,
      writeMaxBytes: this.#limits.maxRequestBytes,
    });
    const connection = {
      client: createClient(EngineService, transport),
      close: () => sessionManager.abort(),
      numCalls: 0,
      numResets: 0,
    };
    this.#open.add(connection);
    return connection;
  }
}
