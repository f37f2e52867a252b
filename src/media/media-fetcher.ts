/**
 * Reads pictures that come as an address: from the public internet, never from anywhere nearer.
 *
 * A caller chooses the address, so this is where a server can be made to reach what only it can
 * reach. Each hop is parsed, resolved and checked before a packet is sent; the connection goes to the
 * addresses that were checked and to no other; redirects go through the same again.
 */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { Agent, buildConnector, type Dispatcher, errors, request } from "undici";
import { PlatformError } from "../base/errors.ts";
import { readFileUrl } from "./file-url.ts";
import { bareHost, parseHttpUrl, urlNotAllowed } from "./media-url.ts";
import { isPublicAddress } from "./public-address.ts";

/** @throws PlatformError `url_not_allowed`, `unsupported_url_scheme`, `image_not_fetched`, `cancelled`, `queue_full` */
export type FetchMedia = (
  url: string,
  options: { readonly signal: AbortSignal },
) => Promise<Uint8Array>;

export type MediaPolicy = {
  /** Whether `http:` and `https:` addresses are fetched. */
  readonly fetchRemote: boolean;
  /** The folder that `file:` addresses may name files in; `undefined`: none. */
  readonly root: string | undefined;
};

/** The network, for tests to stand in for. */
export type MediaNetwork = {
  readonly resolve: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** @returns what connects to these addresses, which have been checked */
  readonly connectorTo: (addresses: readonly LookupAddress[]) => buildConnector.connector;
};

export type MediaLimits = {
  readonly maxBytes: number;
  /** From the first lookup to the last byte, over all redirects. */
  readonly totalMs: number;
  readonly maxRedirects: number;
  readonly maxParallel: number;
  readonly maxWaiting: number;
};

export const defaultMediaLimits: MediaLimits = {
  maxBytes: 20 * 1024 * 1024,
  totalMs: 10_000,
  maxRedirects: 3,
  maxParallel: 16,
  maxWaiting: 256,
};

export const realNetwork: MediaNetwork = {
  resolve: (hostname) => lookup(hostname, { all: true }),
  connectorTo: (addresses) =>
    buildConnector({
      autoSelectFamily: true,
      // Asked for a list, since `autoSelectFamily` tries one after the other.
      lookup: (_hostname, _options, callback) => callback(null, [...addresses]),
    }),
};

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Refuses every address. */
export const refuseMedia: FetchMedia = async () => {
  throw notHere("This server reads no addresses of pictures.");
};

export function mediaFetcher(
  { fetchRemote, root }: MediaPolicy,
  {
    network = realNetwork,
    limits = defaultMediaLimits,
  }: { readonly network?: MediaNetwork; readonly limits?: MediaLimits } = {},
): FetchMedia {
  const slots = new Slots(limits);
  return async (url, { signal }) => {
    if (/^\s*file:/i.test(url)) {
      if (root === undefined) {
        throw notHere(
          "This server reads no file: addresses; whoever starts it may allow one folder with --media-root.",
        );
      }
      return await readFileUrl(url, { root, maxBytes: limits.maxBytes });
    }
    const first = parseHttpUrl(url);
    if (!fetchRemote) throw notHere("This server was started with --no-fetch-media.");
    return await slots.run(signal, () => fetchPicture(first, { network, limits, signal }));
  };
}

type FetchContext = {
  readonly network: MediaNetwork;
  readonly limits: MediaLimits;
  readonly signal: AbortSignal;
};

async function fetchPicture(
  first: URL,
  { network, limits, signal }: FetchContext,
): Promise<Uint8Array> {
  const timeout = AbortSignal.timeout(limits.totalMs);
  const stop = AbortSignal.any([signal, timeout]);
  try {
    let url = first;
    for (let hop = 0; hop <= limits.maxRedirects; hop++) {
      const answer = await fetchHop(url, { network, limits, signal: stop });
      if (answer instanceof Uint8Array) return answer;
      url = answer;
    }
    throw notFetched(`leads on more than ${limits.maxRedirects} times`);
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    if (signal.aborted) throw new PlatformError("cancelled", "The request was cancelled.");
    if (timeout.aborted) {
      throw notFetched(`did not give it within ${limits.totalMs / 1_000} seconds`);
    }
    throw notFetched("did not answer", error);
  }
}

/** @returns the bytes, or where the answer leads on to */
async function fetchHop(url: URL, context: FetchContext): Promise<Uint8Array | URL> {
  const { network, limits, signal } = context;
  const addresses = await checkedAddresses(bareHost(url), network, signal);
  const dispatcher = new Agent({
    connect: network.connectorTo(addresses),
    headersTimeout: limits.totalMs,
    bodyTimeout: limits.totalMs,
    maxHeaderSize: 16 * 1024,
  });
  try {
    const answer = await request(url, {
      dispatcher,
      signal,
      headers: {
        accept: "image/png, image/jpeg, image/webp, image/gif",
        "accept-encoding": "identity",
        "user-agent": "atalaya",
      },
    });
    if (redirects.has(answer.statusCode)) return nextHop(answer, url);
    return await readBody(answer, limits);
  } finally {
    // Also ends a body that was not read to its end.
    await dispatcher.destroy();
  }
}

/** An unknown name is refused in the words of a private one: both say the same about our network. */
async function checkedAddresses(
  host: string,
  { resolve }: MediaNetwork,
  signal: AbortSignal,
): Promise<readonly LookupAddress[]> {
  const family = isIP(host);
  const addresses =
    family === 0
      ? await orAborted(
          resolve(host).catch(() => []),
          signal,
        )
      : [{ address: host, family }];
  if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
    throw urlNotAllowed();
  }
  return addresses;
}

function nextHop({ headers, statusCode }: Dispatcher.ResponseData, from: URL): URL {
  const { location } = headers;
  if (typeof location !== "string" || !URL.canParse(location, from.href)) {
    throw notFetched(`answers with status ${statusCode} and leads nowhere`);
  }
  return parseHttpUrl(new URL(location, from.href).href);
}

async function readBody(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { maxBytes }: MediaLimits,
): Promise<Uint8Array> {
  if (statusCode !== 200) throw notFetched(`answers with status ${statusCode}`);
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw notFetched("answers in compressed form, which was not asked for");
  }
  const tooLarge = (): PlatformError =>
    notFetched(`gives more than ${maxBytes} bytes, the most that a picture may have`);
  if (Number(headers["content-length"] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes);
}

/** At most so many at a time; the others wait, in order. */
class Slots {
  readonly #limits: MediaLimits;
  readonly #waiting: (() => void)[] = [];
  #numRunning = 0;

  constructor(limits: MediaLimits) {
    this.#limits = limits;
  }

  async run<Value>(signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
    const { maxParallel, maxWaiting } = this.#limits;
    if (this.#numRunning >= maxParallel) {
      if (this.#waiting.length >= maxWaiting) {
        throw new PlatformError(
          "queue_full",
          `${maxWaiting} pictures are waiting to be fetched. Try again in a moment.`,
        );
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#numRunning++;
    }
    try {
      if (signal.aborted) throw new PlatformError("cancelled", "The request was cancelled.");
      return await work();
    } finally {
      // The slot goes to the next in line as it is.
      const next = this.#waiting.shift();
      if (next === undefined) this.#numRunning--;
      else next();
    }
  }
}

async function orAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}

function notHere(why: string): PlatformError {
  return new PlatformError("url_not_allowed", `${why} Send the picture as a data: URL.`);
}

/** What a public host did is no secret; what it said stays out of every message. */
function notFetched(what: string, cause?: unknown): PlatformError {
  const message = `The address of a picture ${what}. Check it, or send the picture as a data: URL.`;
  return new PlatformError("image_not_fetched", message, {
    cause: cause instanceof errors.UndiciError ? cause.code : undefined,
  });
}
