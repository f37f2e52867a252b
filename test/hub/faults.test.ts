/** Hubs that lie, stall, redirect elsewhere and never end. */
import { execFile } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HubHttp } from "../../src/hub/http.ts";
import type { PullEvent } from "../../src/hub/pull.ts";
import { asNobody, lackOfNobody } from "../support/as-nobody.ts";
import type { FaultAction, HubPlace } from "../support/hub/faults.ts";
import { loginPage } from "../support/hub/faults.ts";
import { partedLimits, quickLimits } from "../support/hub/limits.ts";
import { TestClient } from "../support/hub/pull-from.ts";
import { gitSha1Of, largeFile, sha256Of, smallFile } from "../support/hub/repo-content.ts";
import { TestHub } from "../support/hub/test-hub.ts";

const run = promisify(execFile);
const shard = "model.safetensors";
const length = 2_500_000;

const lacks = await run("unshare", ["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]).then(
  () => undefined,
  () => "unshare -Urm",
);

let hub: TestHub;
let client: TestClient;
beforeEach(async () => {
  hub = await TestHub.start();
  client = await TestClient.for(hub);
  hub.addRepo("a/b", [smallFile("config.json", "{}"), largeFile(shard, length)]);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

const failureOf = async (work: Promise<unknown>): Promise<Error & { code: string }> => {
  const error: unknown = await work.then(
    () => new Error("nothing failed"),
    (reason: unknown) => reason,
  );
  return error as Error & { code: string };
};

async function expectWhole(directory: string): Promise<void> {
  const bytes = await readFile(join(directory, shard));
  expect(bytes.equals(largeFile(shard, length).bytes)).toBe(true);
}

/** Nothing that was not verified has a final name, and no branch points anywhere. */
async function expectNothingFinal(): Promise<void> {
  const repo = join(client.hubCache, "models--a--b");
  const blobs = await readdir(join(repo, "blobs"));
  const known = [gitSha1Of(Buffer.from("{}"))];
  expect(blobs.filter((name) => !name.includes(".atalaya") && !known.includes(name))).toEqual([]);
  expect(existsSync(join(repo, "refs", "main"))).toBe(false);
  expect(existsSync(join(repo, "trees"))).toBe(false);
}

describe("what passes is tried again, from where it stopped", () => {
  test.each<{ why: string; at: HubPlace; times: number; does: FaultAction }>([
    { why: "a connection cut", at: "cdn", times: 3, does: { type: "cut", afterBytes: 400_000 } },
    { why: "a body cut short", at: "cdn", times: 1, does: { type: "short", byBytes: 100 } },
    { why: "an empty answer", at: "cdn", times: 2, does: { type: "answer", status: 200 } },
    { why: "a stall (DL-09)", at: "cdn", times: 1, does: { type: "stall", afterBytes: 300_000 } },
    { why: "a stall at once (DL-09)", at: "cdn", times: 1, does: { type: "stall", afterBytes: 0 } },
    {
      why: "a drip",
      at: "cdn",
      times: 1,
      does: { type: "slow", chunkBytes: 1, everyMs: 30 },
    },
    { why: "a wrong range (DL-03)", at: "cdn", times: 2, does: { type: "wrong-range-start" } },
    { why: "wrong bytes (DL-02)", at: "cdn", times: 1, does: { type: "flip", atByte: 1_000 } },
    { why: "an expired address", at: "cdn", times: 2, does: { type: "answer", status: 403 } },
    { why: "500", at: "cdn", times: 2, does: { type: "answer", status: 500 } },
    { why: "503", at: "resolve", times: 2, does: { type: "answer", status: 503 } },
    { why: "504", at: "tree", times: 2, does: { type: "answer", status: 504 } },
    {
      why: "429",
      at: "info",
      times: 2,
      does: {
        type: "answer",
        status: 429,
        headers: { "retry-after": "86400", ratelimit: '"api";r=0;t=1' },
      },
    },
  ])("$why", async ({ at, times, does }) => {
    hub.fault({ at, times, does, ...(at === "cdn" ? { path: shard } : {}) });
    const { directory, events } = await client.pull("a/b", { limits: partedLimits });
    await expectWhole(directory);
    const hasRetried = events.some(({ type }) => type === "retry");
    expect(hasRetried || does.type === "flip").toBe(true);
  });

  test("a connection that is cut again and again costs no byte twice", async () => {
    hub.fault({ at: "cdn", times: 20, does: { type: "cut", afterBytes: 100_000 } });
    const { directory } = await client.pull("a/b", { limits: quickLimits });
    await expectWhole(directory);
    expect(hub.requests("cdn").length).toBe(21);
    // What was under way when the connection broke is lost; what was received is not.
    const starts = hub.requests("cdn").map(({ range }) => /=(\d+)-/.exec(range ?? "=0-")?.[1]);
    expect(starts.map(Number)).toEqual(starts.map(Number).toSorted((a, b) => a - b));
    expect(hub.sentBytes(shard)).toBeLessThan(length + 20 * 65_536);
  });

  test("a server that knows no ranges sends the file from its start, in one piece (DL-03)", async () => {
    hub.fault({ at: "cdn", does: { type: "ignore-range" } });
    const { directory } = await client.pull("a/b", { limits: partedLimits });
    await expectWhole(directory);
  });
});

const packedBlanks = gzipSync(Buffer.alloc(16 * 1024 * 1024, " "));

describe("what does not pass is said", () => {
  test.each<{ why: string; at: HubPlace; does: FaultAction; code: string; says: RegExp }>([
    {
      why: "always cut",
      at: "cdn",
      does: { type: "cut", afterBytes: 0 },
      code: "hub_unavailable",
      says: /cut the connection; tried 6 times\. What is downloaded stays/,
    },
    {
      why: "always too short",
      at: "cdn",
      does: { type: "short", byBytes: 100 },
      code: "hub_unavailable",
      says: /sends 2499900 bytes of model\.safetensors instead of 2500000; tried 6 times/,
    },
    {
      why: "always wrong bytes (DL-02)",
      at: "cdn",
      does: { type: "flip", atByte: 1_000 },
      code: "checksum_mismatch",
      says: /2 times with other bytes than its SHA-256 says\. It was thrown away/,
    },
    {
      why: "wrong bytes of a small file",
      at: "resolve",
      does: { type: "answer", status: 200, body: "[]" },
      code: "checksum_mismatch",
      says: /config\.json came .* other bytes than its git SHA-1 says/,
    },
    {
      why: "a login page for a file (DL-03)",
      at: "cdn",
      does: loginPage,
      code: "invalid_hub_answer",
      says: /answers with a web page where model\.safetensors should be/,
    },
    {
      why: "a login page for the list",
      at: "tree",
      does: loginPage,
      code: "invalid_hub_answer",
      says: /answers with a web page where data should be/,
    },
    {
      why: "a body without end",
      at: "cdn",
      does: { type: "endless" },
      code: "hub_unavailable",
      says: /sends more of model\.safetensors than there is/,
    },
    {
      why: "a list without end (DL-12)",
      at: "tree",
      does: { type: "endless" },
      code: "invalid_hub_answer",
      says: /answers with more than 8 MiB where a list should be/,
    },
    {
      why: "a compressed body",
      at: "cdn",
      does: { type: "gzip" },
      code: "invalid_hub_answer",
      says: /sends model\.safetensors packed \(gzip\)/,
    },
    {
      why: "a list packed to a bomb (DL-12)",
      at: "tree",
      does: {
        type: "answer",
        status: 200,
        headers: { "content-encoding": "gzip" },
        // A gigabyte of blanks, in a megabyte.
        body: Buffer.concat(Array.from({ length: 64 }, () => packedBlanks)),
      },
      code: "invalid_hub_answer",
      says: /sends a list packed \(gzip\), which was not asked for/,
    },
    {
      why: "another commit",
      at: "resolve",
      does: { type: "other-commit", commit: "f".repeat(40) },
      code: "invalid_hub_answer",
      says: /answers for commit f{40} of a\/b when asked for/,
    },
    {
      why: "a file that is not there after all",
      at: "resolve",
      does: {
        type: "answer",
        status: 404,
        headers: { "x-error-code": "EntryNotFound" },
        body: "{}",
      },
      code: "invalid_hub_answer",
      says: /answers with status 404 for .* of a\/b/,
    },
    {
      why: "forbidden",
      at: "info",
      does: {
        type: "answer",
        status: 403,
        headers: { "x-error-message": "Access to this resource is disabled." },
      },
      code: "hub_unauthorized",
      says: /does not let you have a\/b: Access to this resource is disabled\./,
    },
  ])("$why", async ({ at, does, code, says }) => {
    hub.fault({ at, does });
    const failed = await failureOf(client.pull("a/b"));
    expect(failed.message).toMatch(says);
    expect(failed.code).toBe(code);
    if (existsSync(join(client.hubCache, "models--a--b", "blobs"))) await expectNothingFinal();
  });

  test("a file that changed meanwhile is not mixed (DL-04)", async () => {
    hub.fault({ at: "cdn", does: { type: "other-total" } });
    const failed = await failureOf(client.pull("a/b", { limits: partedLimits }));
    expect(failed).toMatchObject({ code: "invalid_hub_answer" });
    expect(failed.message).toContain("It changed meanwhile");
  });

  test("a hub that is not there, or has no name", async () => {
    const env = { HF_ENDPOINT: "http://no-such-host.invalid" };
    const failed = await failureOf(client.pull("a/b", { env }));
    expect(failed.code).toBe("hub_unavailable");
    expect(failed.message).toMatch(/no-such-host\.invalid (is not known|cannot be looked up)/);
  });
});

describe("a list that lies", () => {
  const entry = { type: "file", path: "x.json", size: 2, oid: "0".repeat(40) };
  const lfs = { oid: "0".repeat(64), size: 2 };

  test.each([
    { why: "a name that climbs", entries: [{ ...entry, path: "../../evil.json" }] },
    { why: "a name that climbs inside", entries: [{ ...entry, path: "a/../../evil.json" }] },
    { why: "an absolute name", entries: [{ ...entry, path: "/etc/evil.json" }] },
    { why: "a name with a backslash", entries: [{ ...entry, path: "..\\evil.json" }] },
    { why: "a name with a line end", entries: [{ ...entry, path: "a\nb.json" }] },
    { why: "an empty name", entries: [{ ...entry, path: "" }] },
    { why: "a sum that climbs", entries: [{ ...entry, lfs: { ...lfs, oid: "../../../evil" } }] },
    { why: "a git sum that is none", entries: [{ ...entry, oid: "../evil" }] },
    { why: "a negative size", entries: [{ ...entry, size: -1 }] },
    { why: "an absurd size", entries: [{ ...entry, size: 1e18 }] },
    { why: "one file twice", entries: [entry, entry] },
    { why: "a file below a file", entries: [entry, { ...entry, path: "x.json/y.json" }] },
    { why: "no list", entries: { files: [] } },
  ])("by $why is refused before anything is written (DL-05, DL-13)", async ({ entries }) => {
    const body = JSON.stringify(entries);
    hub.fault({ at: "tree", does: { type: "answer", status: 200, body } });
    const failed = await failureOf(client.pull("a/b"));
    expect(failed.code).toBe("invalid_hub_answer");
    expect(failed.message).not.toContain("\n");
    expect(existsSync(client.hubCache)).toBe(false);
    expect(await readdir(client.home)).toEqual([]);
  });

  test("by more files than a repository can have is refused, however many pages they come in (DL-13)", async () => {
    const many = Array.from({ length: 20_001 }, (_, index) => ({
      ...entry,
      path: `${index}.json`,
    }));
    hub.fault({ at: "tree", does: { type: "answer", status: 200, body: JSON.stringify(many) } });
    expect((await failureOf(client.pull("a/b"))).code).toBe("invalid_hub_answer");
    hub.faults.clear();
    const headers = { link: `<${hub.url}/api/models/a/b/tree/main?cursor=x>; rel="next"` };
    hub.fault({ at: "tree", does: { type: "answer", status: 200, headers, body: "[]" } });
    const failed = await failureOf(client.pull("a/b"));
    expect(failed.code).toBe("invalid_hub_answer");
    expect(failed.message).toMatch(/lists more than 20000 files, or 1000 pages of them/);
    expect(hub.requests("resolve")).toEqual([]);
  });

  test("by a next page at another address is not followed, for our token goes with it", async () => {
    const headers = { link: `<${hub.cdnUrl}/page>; rel="next"` };
    hub.fault({ at: "tree", does: { type: "answer", status: 200, headers, body: "[]" } });
    const failed = await failureOf(client.pull("a/b", { env: { HF_TOKEN: "hf_x" } }));
    expect(failed.message).toContain("continues its list of files at another address");
    expect(hub.log.every(({ server }) => server === "hub")).toBe(true);
  });

  test("by a commit that is none is refused", async () => {
    const body = JSON.stringify({ id: "a/b", sha: "../../../../tmp/evil" });
    hub.fault({ at: "info", does: { type: "answer", status: 200, body } });
    expect((await failureOf(client.pull("a/b"))).code).toBe("invalid_hub_answer");
  });

  test("by a size that no disk has ends before the first byte, with the numbers (DL-08)", async () => {
    const huge = [{ ...entry, path: "model.safetensors", lfs: { ...lfs, size: 500e9 } }];
    hub.fault({ at: "tree", does: { type: "answer", status: 200, body: JSON.stringify(huge) } });
    const failed = await failureOf(client.pull("a/b"));
    expect(failed.code).toBe("disk_full");
    expect(failed.message).toMatch(/^500\.0 GB are to be downloaded, and [\d.]+ GB are free/);
    expect(hub.requests("resolve")).toEqual([]);
  });

  test("by nothing but pickles is told so (MF-10)", async () => {
    hub.addRepo("a/c", [smallFile("config.json", "{}"), largeFile("pytorch_model.bin", 10)]);
    expect((await failureOf(client.pull("a/c"))).code).toBe("unsafe_weights_format");
    expect(hub.requests("resolve")).toEqual([]);
  });
});

describe("redirects", () => {
  const redirect = (location: string): FaultAction => ({
    type: "answer",
    status: 302,
    headers: { location },
  });

  test.each([
    { why: "in a circle", location: "/a/b/resolve/main/model.safetensors", says: /more than 3/ },
    { why: "to a file", location: "file:///etc/passwd", says: /another protocol/ },
    { why: "to ftp", location: "ftp://127.0.0.1/x", says: /another protocol/ },
    { why: "to a password", location: "http://u:p@127.0.0.1/x", says: /with a password/ },
    { why: "to nothing", location: "http://", says: /to no address/ },
  ])("$why are not followed", async ({ location, says }) => {
    hub.fault({ at: "resolve", path: shard, does: redirect(location) });
    const failed = await failureOf(client.pull("a/b"));
    expect(failed).toMatchObject({ code: "invalid_hub_answer" });
    expect(failed.message).toMatch(says);
  });

  test.each([
    "http://127.0.0.1:1/",
    "http://[::1]:1/",
    "http://[::ffff:127.0.0.1]:1/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://2130706433:1/",
    "http://0x7f.1:1/",
    "http://localhost:1/",
    "https://192.168.1.1/",
  ])("from a public hub to %s are refused before a packet is sent (DL-06)", async (location) => {
    // A hub with a public address, reached through a proxy of ours: the only way to have one here.
    await using proxy = await proxyTo((head) =>
      head.startsWith("GET ") ? `HTTP/1.1 302 Found\r\nlocation: ${location}\r\n\r\n` : undefined,
    );
    await using http = new HubHttp({
      endpoint: "http://93.184.215.14",
      credentials: {},
      proxies: { http: proxy.url, https: undefined, except: "127.0.0.1,localhost,::1,10.0.0.1" },
      userAgent: "test",
      limits: quickLimits,
    });
    const signal = AbortSignal.timeout(5_000);
    const failed = await failureOf(http.get("http://93.184.215.14/x", { signal }));
    expect(failed.message).toMatch(/redirects to a private address\. That is not followed/);
    expect(proxy.heads).toEqual([expect.stringContaining("93.184.215.14")]);
  });
});

test("a token goes to no other host, whatever an answer asks for (DL-07)", async () => {
  let numRequests = 0;
  const elsewhere = createServer((socket) => {
    numRequests++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  const address = elsewhere.address();
  const port = typeof address === "object" ? address?.port : 0;
  const headers = {
    "www-authenticate": `Bearer realm="http://127.0.0.1:${port}/token",service="a/b"`,
  };
  hub.fault({ at: "resolve", does: { type: "answer", status: 401, headers } });
  const failed = await failureOf(client.pull("a/b", { env: { HF_TOKEN: "hf_secret" } }));
  elsewhere.close();
  expect(failed.message).not.toContain("hf_secret");
  expect(failed.code).toBe("model_not_found");
  expect(hub.requests("resolve").length).toBeGreaterThan(0);
  expect(numRequests).toBe(0);
});

test("a branch that moves under way is not mixed: files are asked for by the commit it was at (DL-17)", async () => {
  const { commit } = hub.addRepo("a/b", [smallFile("config.json", "{}"), largeFile(shard, length)]);
  const other = [smallFile("config.json", "[]"), { ...largeFile("other", length), path: shard }];
  const onEvent = ({ type }: PullEvent): void => {
    if (type === "plan") hub.moveBranch("a/b", other);
  };
  // This hub forgets what a branch was at; one that remembers would send the whole.
  const failed = await failureOf(client.pull("a/b", { options: { onEvent } }));
  expect(failed.code).toBe("model_not_found");
  const asked = hub.log.map(({ path }) => path).filter((path) => path.includes("/resolve/"));
  expect(asked.length).toBeGreaterThan(0);
  for (const path of asked) expect(path).toContain(`/resolve/${commit}/`);
  expect(existsSync(join(client.hubCache, "models--a--b", "refs", "main"))).toBe(false);
});

describe("the way there", () => {
  test("goes through the proxy that the environment names", async () => {
    await using proxy = await proxyTo(() => undefined);
    // `localhost` is not excepted here, so the content network is behind the proxy as well.
    const env = { http_proxy: proxy.url, NO_PROXY: "" };
    const failed = await failureOf(client.pull("a/b", { env }));
    expect(failed.code).toBe("hub_unavailable");
    expect(proxy.heads[0]).toMatch(/^(GET http:|CONNECT )/);
    expect(hub.log).toEqual([]);
    await client.pull("a/b", { env: { ...env, NO_PROXY: "127.0.0.1,localhost" } });
  });

  const hasOpenssl = existsSync("/usr/bin/openssl");
  test.skipIf(!hasOpenssl)(
    `a certificate that nobody vouches for is named, and not asked again${hasOpenssl ? "" : " (skipped: there is no openssl)"}`,
    async () => {
      const directory = await mkdtemp(join(tmpdir(), "tls-"));
      const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
      const subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes"];
      const output = ["-keyout", key, "-out", cert];
      await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", ...output, ...subject]);
      let numConnections = 0;
      const server = createTlsServer({ key: await readFile(key), cert: await readFile(cert) });
      server.on("connection", () => numConnections++);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      const port = typeof address === "object" ? address?.port : 0;
      const env = { HF_ENDPOINT: `https://127.0.0.1:${port}` };
      const failed = await failureOf(client.pull("a/b", { env }));
      server.close();
      await rm(directory, { recursive: true });
      expect(failed.code).toBe("hub_unavailable");
      expect(failed.message).toMatch(/certificate of 127\.0\.0\.1:\d+ cannot be trusted/);
      expect(failed.message).toContain("NODE_EXTRA_CA_CERTS");
      expect(numConnections).toBe(1);
    },
  );
});

describe("the disk", () => {
  test("a link where the partial file should grow is not followed", async () => {
    const repo = join(client.hubCache, "models--a--b");
    await mkdir(join(repo, "blobs"), { recursive: true });
    const outside = join(client.home, "outside");
    await writeFile(outside, "mine");
    const sum = sha256Of(largeFile(shard, length).bytes);
    await symlink(outside, join(repo, "blobs", `${sum}.atalaya.incomplete`));
    const failed = await failureOf(client.pull("a/b"));
    expect(failed.code).toBe("cache_unusable");
    expect(await readFile(outside, "utf8")).toBe("mine");
  });

  test("a cache that is removed under way ends in a sentence, and the next pull is whole (DL-14)", async () => {
    hub.fault({ at: "cdn", does: { type: "slow", chunkBytes: 100_000, everyMs: 20 } });
    let isRemoved = false;
    const onEvent = ({ type }: PullEvent): void => {
      if (isRemoved || type !== "file-progress") return;
      isRemoved = true;
      rmSync(client.hubCache, { recursive: true, force: true });
    };
    const failed = await failureOf(client.pull("a/b", { options: { onEvent } }));
    expect(isRemoved).toBe(true);
    expect(failed).toMatchObject({ name: "PlatformError", code: "cache_unusable" });
    hub.faults.clear();
    await expectWhole((await client.pull("a/b")).directory);
  });

  test.skipIf(lackOfNobody !== undefined)(
    `a cache that may not be written is said to be so (DL-14)${lackOfNobody === undefined ? "" : ` (skipped: ${lackOfNobody})`}`,
    async () => {
      await mkdir(client.hubCache, { recursive: true });
      // Everybody may look.
      for (const path of [client.home, join(client.home, "huggingface")]) await chmod(path, 0o755);
      await chmod(client.hubCache, 0o555);
      const failed = await asNobody(async () => await failureOf(client.pull("a/b")));
      expect(failed).toMatchObject({ code: "cache_unusable" });
      expect(failed.message).toMatch(/\(EACCES\)\. See that it is yours to write/);
      await chmod(client.hubCache, 0o755);
      await expectWhole((await client.pull("a/b")).directory);
    },
  );

  test("a cache that is a file is said to be unusable", async () => {
    await mkdir(join(client.home, "huggingface"));
    await writeFile(client.hubCache, "");
    const failed = await failureOf(client.pull("a/b"));
    expect(failed.code).toBe("cache_unusable");
    expect(failed.message).toContain("(ENOTDIR)");
  });

  test.skipIf(lacks !== undefined)(
    `that fills up under way ends in a sentence, and what is there is gone on with: DL-08${lacks === undefined ? "" : ` (skipped: ${lacks} is not allowed)`}`,
    async () => {
      // A disk of four megabytes, in a namespace of its own: the listing's sizes are true, but
      // something else fills it after the room was measured.
      const script = join(import.meta.dirname, "../support/hub/pull-on-small-disk.ts");
      const { stdout } = await run(
        "unshare",
        [
          "-Urm",
          "sh",
          "-c",
          'mount -t tmpfs -o size=20m none "$1" && exec "$2" --import tsx "$3" "$4" "$1"',
          "sh",
          client.home,
          process.execPath,
          script,
          hub.url,
        ],
        { cwd: join(import.meta.dirname, "../..") },
      );
      expect(stdout.trim().split("\n")).toEqual([
        expect.stringMatching(/^disk_full The disk is full at .*Make room and run the same/),
        "whole",
      ]);
      const [first, second] = hub.requests("cdn").map(({ range }) => range);
      expect(first).toBeUndefined();
      expect(Number(/=(\d+)-/.exec(second ?? "")?.[1])).toBeGreaterThan(0);
    },
  );
});

type Proxy = { url: string; heads: string[] } & AsyncDisposable;

/** Answers every request head with what `answer` says, or hangs up. */
async function proxyTo(answer: (head: string) => string | undefined): Promise<Proxy> {
  const heads: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (bytes) => {
      const head = bytes.toString("latin1");
      heads.push(head);
      const reply = answer(head);
      if (reply === undefined) socket.destroy();
      else socket.end(reply);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    heads,
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
