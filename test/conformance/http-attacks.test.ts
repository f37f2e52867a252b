/** What comes over a bare socket and is no request, or one that never ends, or too many at once; after each a normal request is answered. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { httpLimits } from "../../src/server/limits.ts";
import { needOf } from "../../src/server/route-permissions.ts";
import { type GuardedServer, guardedServer } from "../support/guarded-server.ts";
import { forkFakeServer } from "../support/load/fake-server.ts";
import { requireBuild } from "../support/program.ts";
import { routesOf } from "../support/routes.ts";

let server: GuardedServer;
let port = 0;
let key = "";

beforeAll(async () => {
  server = await guardedServer({ answer: "Hello" });
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  const address = server.app.server.address();
  port = typeof address === "object" ? (address?.port ?? 0) : 0;
  key = server.inferenceKey;
  // The launch itself asked for a token.
  server.engine.requests.length = 0;
});
afterEach(async () => {
  const { requests } = server.engine;
  requests.length = 0;
  const reply = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "fake", messages: [{ role: "user", content: "hi" }] }),
  });
  expect(reply.status, await reply.text()).toBe(200);
  expect(requests).toHaveLength(1);
  expect(server.engine.numRunning).toBe(0);
  requests.length = 0;
});
afterAll(async () => await server[Symbol.asyncDispose]());

async function open(to = port): Promise<Socket> {
  const socket = connect(to, "127.0.0.1");
  // Being cut off is what most of these are answered by.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

type Answer = {
  readonly status: number;
  readonly text: string;
  /** Whether the server closed, and not this client. */
  readonly isClosed: boolean;
};

/** Read until the server closes, or `patienceMs` without a byte. */
async function answerOn(socket: Socket, patienceMs = 3_000): Promise<Answer> {
  let text = "";
  let isClosed = true;
  socket.on("data", (data) => {
    text += data.toString("latin1");
  });
  socket.setTimeout(patienceMs, () => {
    isClosed = false;
    socket.destroy();
  });
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text, isClosed };
}

async function send(bytes: string | Buffer): Promise<Answer> {
  const socket = await open();
  socket.write(bytes);
  return await answerOn(socket);
}

const chatHead = (more: string): string =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n${more}\r\n`;

const numDescriptors = (): number => readdirSync("/proc/self/fd").length;
const withoutProc = process.platform === "linux" ? "" : " (skipped: there is no /proc)";

describe("what is no well-formed request ends its connection (G-01)", () => {
  const smuggled = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
  test.each([
    ["HT-01: both framings", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"],
    ["HT-02: two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"],
    ["HT-03: a coding that nobody knows", "Transfer-Encoding: xchunked\r\n"],
    ["HT-03: a coding behind the last", "Transfer-Encoding: chunked, identity\r\n"],
    ["HT-04: a space before the colon", "X-Odd : 1\r\n"],
    ["HT-04: a folded line", "X-Odd: 1\r\n  2\r\nContent-Length: 5\r\n"],
    ["HT-04: a folded line, and such a space", "X-Odd: 1\r\n  2\r\nContent-Length : 5\r\n"],
    ["HT-05: a header of 17 KiB", `X-Long: ${"y".repeat(17 * 1_024)}\r\n`, 431],
  ])("%s", async (_what, headers, status = 400) => {
    const answer = await send(`${chatHead(headers)}0\r\n\r\n${smuggled}`);
    expect(answer).toMatchObject({ status, isClosed: true });
    expect(answer.text).not.toContain('"status":"ok"');
    expect(answer.text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(server.engine.requests).toHaveLength(0);
  });

  test("HT-04: lines that end in a line feed alone", async () => {
    const answer = await send("GET /health HTTP/1.1\nHost: localhost\n\n");
    expect(answer).toMatchObject({ status: 400, isClosed: true });
  });

  test("HT-06: a request line of 64 KiB", async () => {
    const answer = await send(
      `GET /health?${"x".repeat(64 * 1_024)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    );
    expect([414, 431]).toContain(answer.status);
  });

  test.each([
    ["a TLS hello", Buffer.from(`1603010200010001fc0303${"5a".repeat(500)}`, "hex")],
    ["HTTP/2's preface", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
    ["500 random bytes", Buffer.concat([Buffer.from([0xff]), randomBytes(500)])],
  ])("HT-22: %s", async (_what, bytes) => {
    expect(await send(bytes)).toMatchObject({ status: 400, isClosed: true });
  });
});

describe("without a key", () => {
  test("HT-12: no route that needs a key is served under a host that hides a path", {
    timeout: 120_000,
  }, async () => {
    const routes = (await routesOf(server.platform.app({ host: "127.0.0.1" }))).flatMap((route) => {
      const [method = "", pattern = ""] = route.split(" ");
      const isPublic = needOf(method, pattern.replaceAll(/\{(\w+)\}/g, ":$1")) === "public";
      return isPublic ? [] : [{ method, path: pattern.replaceAll(/\{\w+\}|\*/g, "x") }];
    });
    expect(routes.length).toBeGreaterThan(100);
    const wrong: string[] = [];
    for (const { method, path } of routes) {
      const hosts = ["a/?x=", "a#", "localhost/health?", "localhost#@/health"];
      await Promise.all(
        hosts.map(async (host) => {
          const { status } = await send(
            `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
          );
          if (![400, 401, 421].includes(status)) wrong.push(`${method} ${path} ${host} ${status}`);
        }),
      );
    }
    expect(wrong).toEqual([]);
    expect(server.engine.requests).toHaveLength(0);
  });

  const targets = [
    "/v1/../v1/models",
    "/V1/models",
    "/v1/models/",
    "/v1%2fmodels",
    "/v1%2Fmodels",
    "/v1/models;x",
    "/v1/./models",
    "//v1/models",
    "//v1//models",
    "/v1/models%00",
    "/v1/models%2e",
    "/health/../v1/models",
    "/health/%2e%2e/v1/models",
  ];
  test.each(targets)("HT-13: %s is no way round the key", async (target) => {
    const { status } = await send(
      `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    expect([400, 401, 404]).toContain(status);
  });

  test.each(["http://x/v1/models", "http://localhost/v1/models", "http://localhost/health"])(
    "HT-14: neither is %s",
    async (target) => {
      const { status } = await send(
        `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      expect(status).toBe(400);
    },
  );
});

describe("a body that is not what it says", () => {
  const invalid = JSON.stringify({ model: "fake", messages: "not a list" });
  test.each(["application/json\ta", " application/json", "application/json garbage"])(
    "HT-17: under the type %j is never taken unseen",
    async (type) => {
      const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\nConnection: close\r\n`;
      const { status } = await send(
        `${head}Content-Type: ${type}\r\nContent-Length: ${invalid.length}\r\n\r\n${invalid}`,
      );
      expect([400, 415]).toContain(status);
      expect(server.engine.requests).toHaveLength(0);
    },
  );

  test("HT-11: a megabyte that unpacks to a gigabyte is refused as it is", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1_024 * 1_024));
    const head = chatHead(`Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n`);
    expect((await send(Buffer.concat([Buffer.from(head), bomb]))).status).toBe(415);
  });

  test("HT-10: that never ends is refused at its limit, and takes no memory beyond it", {
    timeout: 60_000,
  }, async () => {
    requireBuild();
    using forked = await forkFakeServer({ numTokens: 3, tokenDelayMs: 0 });
    const to = Number(new URL(forked.url).port);
    const endless = async (path: string): Promise<Answer> => {
      const socket = await open(to);
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      const answering = answerOn(socket, 20_000);
      const chunk = `10000\r\n${" ".repeat(0x1_00_00)}\r\n`;
      while (!socket.destroyed && !socket.readableEnded) {
        if (!socket.write(chunk)) {
          await Promise.race([
            once(socket, "drain").catch(() => undefined),
            once(socket, "close").catch(() => undefined),
            sleep(5_000),
          ]);
        }
      }
      return await answering;
    };
    for (const [path, limit] of [
      ["/v1/models", httpLimits.bodyBytes],
      ["/v1/chat/completions", httpLimits.pictureBodyBytes],
    ] as const) {
      const before = (await forked.state()).residentBytes;
      let peak = before;
      let isOver = false;
      const watching = (async () => {
        while (!isOver) {
          peak = Math.max(peak, (await forked.state()).residentBytes);
          await sleep(50);
        }
      })();
      const { status } = await endless(path);
      isOver = true;
      await watching;
      expect(status, path).toBe(413);
      // The collector is not made to run; what has been read and not yet been freed is there too.
      expect(peak - before, path).toBeLessThan(limit + 64 * 2 ** 20);
    }
  });
});

describe("clients that do not come to an end", () => {
  test("HT-07: five hundred that send a byte now and then are closed in time, and others are answered meanwhile", {
    timeout: 60_000,
  }, async () => {
    expect(server.app.server.headersTimeout).toBe(10_000);
    const started = performance.now();
    const sockets = await Promise.all(Array.from({ length: 500 }, () => open()));
    for (const socket of sockets) socket.write("G");
    const drip = setInterval(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write("E");
    }, 5_000);
    const answers = Promise.all(sockets.map((socket) => answerOn(socket, 40_000)));
    for (let count = 0; count < 10; count++) {
      const asked = performance.now();
      expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
      // A limit that catches a server that waits for them, on a machine that is busy.
      expect(performance.now() - asked).toBeLessThan(5_000);
      await sleep(100);
    }
    const ended = await answers;
    clearInterval(drip);
    expect(ended.every(({ isClosed }) => isClosed)).toBe(true);
    const tookMs = performance.now() - started;
    expect(tookMs).toBeGreaterThan(8_000);
    expect(tookMs).toBeLessThan(25_000);
  });

  test("HT-08: a body that comes a byte at a time is given up, and holds no slot", async () => {
    const { server: http } = server.app;
    expect(http.requestTimeout).toBe(60_000);
    // The limit that the row names takes a minute; the clock is the same.
    http.requestTimeout = 2_000;
    http.headersTimeout = 2_000;
    try {
      const socket = await open();
      socket.write(chatHead(`Content-Length: ${2 ** 20}\r\n`));
      const drip = setInterval(() => socket.write(" "), 200);
      const answering = answerOn(socket, 30_000);
      await sleep(300);
      expect(server.engine.numRunning).toBe(0);
      const answer = await answering;
      clearInterval(drip);
      expect(answer).toMatchObject({ status: 408, isClosed: true });
      expect(server.engine.requests).toHaveLength(0);
    } finally {
      http.requestTimeout = 60_000;
      http.headersTimeout = 10_000;
    }
  });

  test(`HT-24: a thousand that are reset in the middle of their body leave nothing${withoutProc}`, {
    timeout: 60_000,
  }, async ({ skip }) => {
    skip(process.platform !== "linux");
    await send(`GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const before = numDescriptors();
    for (let round = 0; round < 20; round++) {
      const sockets = await Promise.all(Array.from({ length: 50 }, () => open()));
      for (const socket of sockets)
        socket.write(`${chatHead("Content-Length: 1000\r\n")}{"model":`);
      await sleep(20);
      for (const socket of sockets) socket.resetAndDestroy();
    }
    for (let wait = 0; wait < 200 && numDescriptors() > before + 5; wait++) await sleep(50);
    expect(numDescriptors()).toBeLessThanOrEqual(before + 5);
    expect(server.engine.numRunning).toBe(0);
    expect(server.engine.requests).toHaveLength(0);
  });
});

test(`G-10: a thousand answers whose readers go away leave nothing${withoutProc}`, {
  timeout: 120_000,
}, async ({ skip }) => {
  skip(process.platform !== "linux");
  const answer = { ...server.engine.answer };
  server.engine.answer = { text: "x".repeat(2_000), tokenDelayMs: 5 };
  const body = JSON.stringify({
    model: "fake",
    messages: [{ role: "user", content: "hi" }],
    max_tokens: 2_000,
    stream: true,
  });
  const request = `${chatHead(`Content-Length: ${body.length}\r\n`)}${body}`;
  const before = numDescriptors();
  const leaveOften = async (): Promise<void> => {
    for (let count = 0; count < 40; count++) {
      const socket = await open();
      socket.write(request);
      const [first] = (await once(socket, "data")) as [Buffer];
      socket.resetAndDestroy();
      expect(first.toString("latin1")).toMatch(/^HTTP\/1\.1 200 /);
    }
  };
  await Promise.all(Array.from({ length: 25 }, leaveOften));
  const isFree = (): boolean => server.engine.numRunning === 0 && numDescriptors() <= before + 5;
  for (let wait = 0; wait < 200 && !isFree(); wait++) await sleep(50);
  server.engine.answer = answer;
  expect(server.engine.numRunning).toBe(0);
  expect(numDescriptors()).toBeLessThanOrEqual(before + 5);
});

test("HT-19: a thousand requests in one go are answered in their order", {
  timeout: 60_000,
}, async () => {
  const socket = await open();
  const one = (index: number, more = ""): string =>
    `GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: r${index}\r\n${more}\r\n`;
  const all = Array.from({ length: 1_000 }, (_, index) =>
    one(index, index === 999 ? "Connection: close\r\n" : ""),
  );
  socket.write(all.join(""));
  const { text } = await answerOn(socket, 20_000);
  const order = [...text.matchAll(/^x-request-id: r(\d+)/gim)].map(([, index]) => Number(index));
  expect(order).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
});
