/**
 * Questions to a hub, and the answers, with what security asks of both: credentials go to the hub's own
 * origin and nowhere else; redirects are followed by us, few of them, and never from the public
 * internet into a private network; what is read into memory has a bound; nothing waits for ever.
 */
import type { Readable } from "node:stream";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import type { z } from "zod";
import { PlatformError } from "../base/errors.ts";
import { type HubLimits, MAX_JSON_BYTES, MAX_REDIRECTS } from "./limits.ts";
import { shown } from "./names.ts";
import { isPrivateHost, lookupPublic, PrivateAddressError } from "./public-address.ts";
import { readRetryAfter } from "./retry.ts";
import type { ProxySettings } from "./settings.ts";
import { networkError, TransferError } from "./transfer-error.ts";

export type HubAnswer = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Must be read to its end or destroyed. */
  readonly body: Readable;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  /** The answers that led there, first the hub's own. */
  readonly hops: readonly HubHop[];
};

export type HubHop = { readonly status: number; readonly headers: HubAnswer["headers"] };

export type HubRequest = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};

export type HubHttpOptions = {
  /** The hub's own address: only it ever sees `credentials`. */
  readonly endpoint: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly proxies: ProxySettings;
  readonly userAgent: string;
  readonly limits: HubLimits;
};

const redirectStatuses = new Set([301, 302, 303, 307, 308]);

export class HubHttp implements AsyncDisposable {
  readonly #options: HubHttpOptions;
  readonly #endpoint: URL;
  readonly #anywhere: Dispatcher;
  readonly #publicOnly: Dispatcher;
  #isHubPrivate: Promise<boolean> | undefined;

  constructor(options: HubHttpOptions) {
    this.#options = options;
    this.#endpoint = new URL(options.endpoint);
    this.#anywhere = newDispatcher(options, {});
    this.#publicOnly = newDispatcher(options, { lookup: lookupPublic });
  }

  /** The hub as a person knows it. */
  get host(): string {
    return this.#endpoint.host;
  }

  /**
   * The answer, after redirects, whatever its status.
   *
   * @throws TransferError when the network fails
   * @throws PlatformError `invalid_hub_answer` for a redirect that is not followed
   */
  async get(address: string | URL, request: HubRequest): Promise<HubAnswer> {
    let url = new URL(address);
    const hops: HubHop[] = [];
    for (;;) {
      const answer = await this.#ask(url, request, hops.length === 0);
      const location = answer.headers["location"];
      if (!redirectStatuses.has(answer.status) || location === undefined) {
        return { ...answer, url, hops };
      }
      answer.body.on("error", () => undefined).destroy();
      hops.push({ status: answer.status, headers: answer.headers });
      if (hops.length > MAX_REDIRECTS) {
        throw refusedRedirect(this.host, `more than ${MAX_REDIRECTS} times, in a circle perhaps`);
      }
      url = this.#follow(url, location);
    }
  }

  /**
   * A JSON answer that fits `schema`.
   *
   * @param explain turns an answer of another status than 200 into an error
   * @throws TransferError, and PlatformError `invalid_hub_answer`
   */
  async getJson<Value>(
    address: string | URL,
    {
      schema,
      explain,
      signal,
    }: {
      readonly schema: z.ZodType<Value>;
      readonly explain: (answer: FailedAnswer) => Error;
      readonly signal: AbortSignal;
    },
  ): Promise<{ readonly value: Value; readonly headers: HubAnswer["headers"] }> {
    const answer = await this.get(address, { headers: { accept: "application/json" }, signal });
    if (answer.status !== 200) throw explain(await this.readFailure(answer));
    const packing = answer.headers["content-encoding"] ?? "identity";
    if (packing !== "identity") {
      throw new PlatformError(
        "invalid_hub_answer",
        `${this.host} sends a list packed (${shown(packing)}), which was not asked for. A proxy may stand in between.`,
      );
    }
    const text = await this.#readText(answer);
    const parsed = schema.safeParse(parseJson(text));
    if (parsed.success) return { value: parsed.data, headers: answer.headers };
    const [issue] = parsed.error.issues;
    const isPage = /^\s*</.test(text);
    throw new PlatformError(
      "invalid_hub_answer",
      isPage
        ? `${this.host} answers with a web page where data should be. A proxy or a login page may stand in between.`
        : `${this.host} answers with something that cannot be understood (${issue?.path.join(".") || "it is no JSON"}: ${shown(issue?.message ?? "")}).`,
      { cause: parsed.error },
    );
  }

  /** The words of an answer that is no success; its body is read and gone. */
  async readFailure(answer: HubAnswer): Promise<FailedAnswer> {
    const { status, headers, hops, url } = answer;
    const text = await this.#readText(answer).catch(() => "");
    const body = parseJson(text);
    const message = headers["x-error-message"] ?? messageIn(body);
    return {
      status,
      errorCode: headers["x-error-code"],
      message: message === undefined ? undefined : shown(message),
      isFromHub: this.#isOwn(url),
      retryAfterMs: readRetryAfter(headers, Date.now()),
      hops,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#anywhere.destroy(), this.#publicOnly.destroy()]);
  }

  #isOwn(url: URL): boolean {
    return url.origin === this.#endpoint.origin;
  }

  async #ask(
    url: URL,
    { headers = {}, signal }: HubRequest,
    isFirst: boolean,
  ): Promise<Omit<HubAnswer, "url" | "hops">> {
    const isOwn = this.#isOwn(url);
    const isRestricted = !isFirst && !isOwn && !(await this.#isPrivate());
    // A literal address is never looked up, so the connection would not check it.
    if (isRestricted && !isNamedHost(url) && (await isPrivateHost(url))) {
      throw refusedRedirect(this.host, "to a private address");
    }
    const silence = new AbortController();
    const { stallMs } = this.#options.limits;
    // undici's own clocks do not run while a proxy is silent.
    const timer = setTimeout(() => {
      silence.abort(new TransferError(`${url.host} does not answer`));
    }, stallMs);
    try {
      const answer = await (isRestricted ? this.#publicOnly : this.#anywhere).request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: "GET",
        headers: {
          // What is compressed could be a bomb, and has no ranges that fit the file.
          "accept-encoding": "identity",
          "user-agent": this.#options.userAgent,
          ...headers,
          ...(isOwn ? this.#options.credentials : {}),
        },
        signal,
      });
      return {
        status: answer.statusCode,
        headers: singleValues(answer.headers),
        body: answer.body,
      };
    } catch (error) {
      signal.throwIfAborted();
      if (isPrivateAddress(error)) throw refusedRedirect(this.host, "to a private address");
      throw networkError(error, url.host);
    } finally {
      clearTimeout(timer);
    }
  }

  #follow(from: URL, location: string): URL {
    if (!URL.canParse(location, from.href)) throw refusedRedirect(this.host, "to no address");
    const to = new URL(location, from);
    if (to.protocol !== "https:" && !(to.protocol === "http:" && from.protocol === "http:")) {
      throw refusedRedirect(this.host, `to another protocol (${shown(to.protocol)})`);
    }
    if (to.username !== "" || to.password !== "") {
      throw refusedRedirect(this.host, "to an address with a password");
    }
    return to;
  }

  /** A mirror in one's own network may keep its files there. */
  #isPrivate(): Promise<boolean> {
    this.#isHubPrivate ??= isPrivateHost(this.#endpoint);
    return this.#isHubPrivate;
  }

  async #readText(answer: HubAnswer): Promise<string> {
    const chunks: Buffer[] = [];
    let numBytes = 0;
    const { stallMs } = this.#options.limits;
    // A whole answer of this size takes a moment; one that drips for ever is given up.
    const timer = setTimeout(() => {
      answer.body.destroy(new TransferError(`${answer.url.host} stopped sending`));
    }, stallMs * 2);
    try {
      for await (const chunk of answer.body) {
        const bytes = chunk as Buffer;
        numBytes += bytes.length;
        if (numBytes > MAX_JSON_BYTES) {
          throw new PlatformError(
            "invalid_hub_answer",
            `${this.host} answers with more than ${MAX_JSON_BYTES / 2 ** 20} MiB where a list should be.`,
          );
        }
        chunks.push(bytes);
      }
    } catch (error) {
      throw networkError(error, answer.url.host);
    } finally {
      clearTimeout(timer);
    }
    return Buffer.concat(chunks).toString("utf8");
  }
}

/** What a hub said instead of what it was asked for. */
export type FailedAnswer = {
  readonly status: number;
  /** The hub's `X-Error-Code`. */
  readonly errorCode: string | undefined;
  /** The hub's own words, safe to show. */
  readonly message: string | undefined;
  /** Whether the hub itself said it, and not a store behind it. */
  readonly isFromHub: boolean;
  readonly retryAfterMs: number | undefined;
  readonly hops: readonly HubHop[];
};

/** Too many requests, or a fault that may pass. */
export function isTemporary(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

function newDispatcher(
  { proxies, limits }: HubHttpOptions,
  connect: { readonly lookup?: typeof lookupPublic },
): Dispatcher {
  const options: Agent.Options = {
    connect: { ...connect, timeout: Math.min(limits.stallMs, 10_000) },
    headersTimeout: limits.stallMs,
    // Our own clock counts what a body brings; this one only ends what is forgotten.
    bodyTimeout: limits.stallMs * 4,
    maxResponseSize: -1,
  };
  if (proxies.http === undefined && proxies.https === undefined) return new Agent(options);
  const proxy = {
    ...(proxies.http === undefined ? {} : { httpProxy: proxies.http }),
    ...(proxies.https === undefined ? {} : { httpsProxy: proxies.https }),
    noProxy: proxies.except ?? "",
    // Plain HTTP is asked of the proxy itself: many open tunnels to port 443 only.
    proxyTunnel: false,
  };
  return new EnvHttpProxyAgent({ ...options, ...proxy });
}

function isNamedHost(url: URL): boolean {
  return /[a-z]/i.test(url.hostname) && !url.hostname.startsWith("[");
}

function isPrivateAddress(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof PrivateAddressError) return true;
  }
  return false;
}

function singleValues(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): HubAnswer["headers"] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.join(", ") : value,
    ]),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageIn(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const found = Object.entries(body).find(([name]) => /^(error|message)$/i.test(name));
  return typeof found?.[1] === "string" ? found[1] : undefined;
}

function refusedRedirect(host: string, where: string): PlatformError {
  return new PlatformError(
    "invalid_hub_answer",
    `${host} redirects ${where}. That is not followed.`,
  );
}
