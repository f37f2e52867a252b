import type { LookupAddress } from "node:dns";
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PlatformError } from "../base/errors.ts";
import {
  defaultMediaLimits,
  type FetchMedia,
  type MediaLimits,
  type MediaNetwork,
  mediaFetcher,
  realNetwork,
} from "./media-fetcher.ts";

/** Stands for every public host, and for everything that must not be reached. */
let canary: Server;
let answer: RequestListener;
const asked: { host: string; path: string; headers: IncomingHttpHeaders }[] = [];
const connectedTo: string[] = [];
const names = new Map<string, string[]>();
const signal = new AbortController().signal;

beforeAll(async () => {
  canary = createServer((request, response) => {
    asked.push({
      host: request.headers.host ?? "",
      path: request.url ?? "",
      headers: request.headers,
    });
    answer(request, response);
  });
  await new Promise<void>((resolve) => canary.listen(0, "127.0.0.1", resolve));
});
afterAll(() => canary.closeAllConnections());
beforeEach(() => {
  asked.length = 0;
  connectedTo.length = 0;
  names.clear();
  names.set("pictures.example.com", ["93.184.215.14"]);
  answer = (_request, response) => response.end("picture");
});

/** Resolves from the table above, and connects to the canary whatever address was checked. */
const network: MediaNetwork = {
  resolve: async (hostname) =>
    (names.get(hostname) ?? []).map((address) => ({ address, family: 4 })),
  connectorTo: (addresses: readonly LookupAddress[]) => {
    connectedTo.push(addresses.map(({ address }) => address).join());
    const connect = realNetwork.connectorTo([{ address: "127.0.0.1", family: 4 }]);
    const { port } = canary.address() as AddressInfo;
    return (options, callback) => connect({ ...options, port: String(port) }, callback);
  },
};

function fetcher(limits: Partial<MediaLimits> = {}): FetchMedia {
  return mediaFetcher(
    { fetchRemote: true, root: undefined },
    { network, limits: { ...defaultMediaLimits, ...limits } },
  );
}

async function refusal(work: Promise<unknown>): Promise<PlatformError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof PlatformError)) throw new Error(`no refusal: ${String(error)}`);
  return error;
}

const notAllowed = await refusal(fetcher()("http://127.0.0.1/", { signal }));

describe("a public picture", () => {
  test("is fetched from the address that was checked, by its own name", async () => {
    const bytes = await fetcher()("http://pictures.example.com/a.png?b=c", { signal });
    expect(Buffer.from(bytes).toString()).toBe("picture");
    expect(connectedTo).toEqual(["93.184.215.14"]);
    expect(asked).toMatchObject([{ host: "pictures.example.com", path: "/a.png?b=c" }]);
  });

  test("is asked for without keys, cookies or compression (SS-25)", async () => {
    await fetcher()("http://pictures.example.com/", { signal });
    expect(Object.keys(asked[0]?.headers ?? {}).toSorted()).toEqual([
      "accept",
      "accept-encoding",
      "connection",
      "host",
      "user-agent",
    ]);
    expect(asked[0]?.headers["accept-encoding"]).toBe("identity");
  });

  test("may be three redirects away, on another public host", async () => {
    names.set("other.example.com", ["1.1.1.1"]);
    answer = ({ url }, response) => {
      const hop = Number(url?.slice(1));
      if (hop === 3) response.end("at last");
      else response.writeHead(302, { location: `http://other.example.com/${hop + 1}` }).end();
    };
    const bytes = await fetcher()("http://pictures.example.com/0", { signal });
    expect(Buffer.from(bytes).toString()).toBe("at last");
    expect(connectedTo).toEqual(["93.184.215.14", "1.1.1.1", "1.1.1.1", "1.1.1.1"]);
  });
});

describe("refused before a packet is sent, in one sentence", () => {
  test.each([
    { url: "http://127.0.0.1/", id: "SS-01" },
    { url: "http://169.254.169.254/latest/meta-data/", id: "SS-02" },
    { url: "http://[::1]/", id: "SS-03" },
    { url: "http://[::ffff:127.0.0.1]/", id: "SS-03" },
    { url: "http://2130706433/", id: "SS-04" },
    { url: "http://0x7f.1/", id: "SS-04" },
    { url: "http://127.1/", id: "SS-04" },
    { url: "http://017700000001/", id: "SS-04" },
    { url: "http://0.0.0.0/", id: "SS-05" },
    { url: "http://0/", id: "SS-05" },
    { url: "http://[::]/", id: "SS-05" },
    { url: "http://[fd00:ec2::254]/", id: "SS-06" },
    { url: "http://10.0.0.1/", id: "SS-06" },
    { url: "http://localhost/", id: "SS-07" },
    { url: "http://LOCALHOST./", id: "SS-07" },
    { url: "http://x.localhost/", id: "SS-07" },
    { url: "http://printer.local/", id: "SS-07" },
    { url: "http://metadata.google.internal/computeMetadata/v1/", id: "SS-07" },
    { url: "http://intranet/", id: "SS-07" },
    { url: "http://user:pw@pictures.example.com/", id: "SS-12" },
    { url: "http://evil@127.0.0.1/", id: "SS-12" },
    { url: "http://127.0.0.1\\@pictures.example.com/", id: "SS-13" },
    { url: "http://pictures.example.com:22/", id: "SS-15" },
    { url: "http://pictures.example.com:6379/", id: "SS-15" },
    { url: "https://pictures.example.com:80/", id: "SS-15" },
    { url: "http://pictures.example.com:443/", id: "SS-15" },
    { url: "http://unknown.example.com/", id: "SS-21" },
    { url: "http://", id: "" },
    { url: "http://[::1%25eth0]/", id: "SS-03" },
    { url: "http://１２７.0.0.1/", id: "SS-04" },
    { url: `http://pictures.example.com/${"x".repeat(8 * 1024)}`, id: "" },
  ])("$url $id", async ({ url }) => {
    expect(await refusal(fetcher()(url, { signal }))).toEqual(notAllowed);
    expect([asked, connectedTo]).toEqual([[], []]);
  });

  test("the host is the parsed one, whatever stands before an at sign (SS-13)", async () => {
    // A backslash is a slash to the parser: the host here is example.com's, and it is public.
    await fetcher()("http://pictures.example.com\\@127.0.0.1/", { signal });
    expect(asked).toMatchObject([{ host: "pictures.example.com" }]);
  });

  test.each([
    { why: "one private answer", answers: ["10.0.0.1"] },
    { why: "a public answer and a private one", answers: ["93.184.215.14", "192.168.1.1"] },
    { why: "a link-local IPv6 answer", answers: ["fe80::1"] },
    { why: "a mapped loopback answer", answers: ["::ffff:127.0.0.1"] },
  ])("a name with $why (SS-08)", async ({ answers }) => {
    names.set("rebind.example.com", answers);
    const url = "http://rebind.example.com/";
    expect(await refusal(fetcher()(url, { signal }))).toEqual(notAllowed);
    expect(connectedTo).toEqual([]);
  });

  test.each(["ftp:", "gopher:", "javascript:", "blob:", "ws:", "data:"])(
    "%s (SS-14)",
    async (scheme) => {
      const error = await refusal(fetcher()(`${scheme}//pictures.example.com/`, { signal }));
      expect(error.code).toBe("unsupported_url_scheme");
    },
  );

  test("everything, when fetching is off", async () => {
    const off = mediaFetcher({ fetchRemote: false, root: undefined }, { network });
    const error = await refusal(off("http://pictures.example.com/", { signal }));
    expect(error).toMatchObject({ code: "url_not_allowed" });
    expect(asked).toEqual([]);
  });

  test("a file, when no folder is allowed (SS-14)", async () => {
    const error = await refusal(fetcher()("file:///etc/passwd", { signal }));
    expect(error).toMatchObject({
      code: "url_not_allowed",
      message: expect.stringMatching(/--media-root/),
    });
  });
});

test("a name is resolved once: a second answer is never asked for (SS-09)", async () => {
  let numResolved = 0;
  const rebinding: MediaNetwork = {
    ...network,
    resolve: async () => {
      numResolved++;
      return [{ address: numResolved === 1 ? "93.184.215.14" : "127.0.0.1", family: 4 }];
    },
  };
  const fetch = mediaFetcher({ fetchRemote: true, root: undefined }, { network: rebinding });
  await fetch("http://pictures.example.com/", { signal });
  expect([numResolved, connectedTo]).toEqual([1, ["93.184.215.14"]]);
});

test("the real network refuses a name that leads here (SS-01, SS-07)", async () => {
  const { port } = canary.address() as AddressInfo;
  const real = mediaFetcher({ fetchRemote: true, root: undefined });
  for (const url of [`http://127.0.0.1:${port}/`, "http://localhost/", "http://127.0.0.1/"]) {
    expect(await refusal(real(url, { signal }))).toEqual(notAllowed);
  }
  expect(asked).toEqual([]);
});

describe("a public host that", () => {
  const says = async (limits: Partial<MediaLimits> = {}): Promise<PlatformError> =>
    await refusal(fetcher(limits)("http://pictures.example.com/", { signal }));

  test.each([
    "http://127.0.0.1/",
    "http://[::1]/",
    "http://169.254.169.254/",
    "http://localhost/",
    "//10.0.0.1/",
    "http://pictures.example.com:8080/",
  ])("leads on to %s (SS-10)", async (location) => {
    answer = (_request, response) => response.writeHead(302, { location }).end();
    expect(await says()).toEqual(notAllowed);
    expect(connectedTo).toEqual(["93.184.215.14"]);
  });

  test("leads on to a file, or nowhere", async () => {
    answer = (_request, response) =>
      response.writeHead(302, { location: "file:///etc/passwd" }).end();
    expect((await says()).code).toBe("unsupported_url_scheme");
    answer = (_request, response) => response.writeHead(302).end();
    expect((await says()).message).toMatch(/status 302 and leads nowhere/);
  });

  test("leads in a circle (SS-11)", async () => {
    answer = (_request, response) => response.writeHead(307, { location: "/" }).end();
    expect((await says()).message).toMatch(/more than 3 times/);
    expect(asked).toHaveLength(4);
  });

  test("answers with an error tells its status and nothing it said", async () => {
    answer = (_request, response) => response.writeHead(404).end("the secret");
    const { code, message } = await says();
    expect(code).toBe("image_not_fetched");
    expect(message).toMatch(/answers with status 404/);
    expect(message).not.toMatch(/secret|example/);
  });

  test("never ends is given up at the limit of bytes (SS-16)", async () => {
    let numSent = 0;
    answer = (_request, response) => {
      const send = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) numSent++;
        if (!response.destroyed) response.once("drain", send);
      };
      send();
    };
    expect((await says({ maxBytes: 1024 * 1024 })).message).toMatch(/more than 1048576 bytes/);
    await sleep(50);
    expect(numSent * 64 * 1024).toBeLessThan(16 * 1024 * 1024);
  });

  test("announces too much is not read", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": 1_000_000_000 });
      response.flushHeaders();
    };
    expect((await says()).message).toMatch(/more than 20971520 bytes/);
  });

  test("drips is given up at the limit of time (SS-17)", async () => {
    answer = (_request, response) => {
      const timer = setInterval(() => response.write("x"), 20);
      response.once("close", () => clearInterval(timer));
    };
    const startedAt = performance.now();
    expect((await says({ totalMs: 300 })).message).toMatch(/within 0\.3 seconds/);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  test("is never found is given up at the limit of time", async () => {
    const silent: MediaNetwork = { ...network, resolve: () => new Promise(() => undefined) };
    const fetch = mediaFetcher(
      { fetchRemote: true, root: undefined },
      { network: silent, limits: { ...defaultMediaLimits, totalMs: 100 } },
    );
    const error = await refusal(fetch("http://pictures.example.com/", { signal }));
    expect(error.message).toMatch(/within 0\.1 seconds/);
  });

  test("compresses is not inflated (SS-18)", async () => {
    const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024));
    answer = (_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
    expect((await says()).message).toMatch(/compressed form/);
  });

  test("hangs up", async () => {
    answer = (_request, response) => response.destroy();
    expect(await says()).toMatchObject({ code: "image_not_fetched" });
  });
});

test("the limits are those that the pages tell (SS-16, SS-17)", () => {
  expect(defaultMediaLimits).toMatchObject({
    maxBytes: 20 * 1024 * 1024,
    totalMs: 10_000,
    maxRedirects: 3,
    maxParallel: 16,
  });
});

test("a caller who leaves ends the fetch", async () => {
  const controller = new AbortController();
  let isClosed = false;
  answer = (_request, response) => {
    response.once("close", () => (isClosed = true));
    response.write("x");
    controller.abort();
  };
  const work = fetcher()("http://pictures.example.com/", { signal: controller.signal });
  expect((await refusal(work)).code).toBe("cancelled");
  for (let wait = 0; !isClosed && wait < 1_000; wait++) await sleep(10);
  expect(isClosed).toBe(true);
});

test("only so many are fetched at once, and only so many wait", async () => {
  let numOpen = 0;
  let mostOpen = 0;
  answer = (_request, response) => {
    mostOpen = Math.max(mostOpen, ++numOpen);
    setTimeout(() => {
      numOpen--;
      response.end("x");
    }, 20);
  };
  const fetch = fetcher({ maxParallel: 2, maxWaiting: 3 });
  const all = await Promise.allSettled(
    Array.from({ length: 6 }, () => fetch("http://pictures.example.com/", { signal })),
  );
  expect(mostOpen).toBe(2);
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  expect(all.find(({ status }) => status === "rejected")).toMatchObject({
    reason: { code: "queue_full" },
  });
  await fetch("http://pictures.example.com/", { signal });
});
