/** A server whose surroundings fall short: nobody reads what it says, descriptors run out, there is no IPv6. */
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { packageRoot } from "../../src/config/package.ts";
import { killAll, Program, requireBuild } from "../support/program.ts";

// A program's start takes a while on a busy machine.
vi.setConfig({ testTimeout: 120_000 });
beforeAll(requireBuild);
afterEach(killAll);

async function serve(env: NodeJS.ProcessEnv = {}) {
  const server = new Program(["serve", "--port", "0"], env);
  return { server, url: await server.says(/Serving at (http:\S+)\/v1/) };
}

const health = async (url: string): Promise<number> => (await fetch(`${url}/health`)).status;

test.each([
  ["standard output", ["stdout"]],
  ["standard output and error", ["stdout", "stderr"]],
] as const)(
  "a server goes on, and stops in order, when its %s is closed (RL-05)",
  async (_what, closed) => {
    const { server, url } = await serve({ ATALAYA_LOG_LEVEL: "debug" });
    for (const name of closed) server.child[name]?.destroy();
    for (let count = 0; count < 5; count++) expect(await health(url)).toBe(200);
    const missing = await fetch(`${url}/v1/models/none`);
    expect(missing.status, await missing.text()).toBe(404);
    server.child.kill("SIGTERM");
    expect(await server.ended).toMatchObject({ exitCode: 0 });
  },
);

const hasPrlimit = spawnSync("prlimit", ["--version"]).status === 0;

test.skipIf(!hasPrlimit)(
  "a server with 256 descriptors serves again when they are given back (RL-02)",
  async () => {
    const { server, url } = await serve();
    execFileSync("prlimit", ["--pid", `${server.child.pid}`, "--nofile=256:256"]);
    const sockets = Array.from({ length: 400 }, () => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      socket.on("error", () => undefined);
      return socket;
    });
    // Some are cut off, there being no descriptor for them.
    await Promise.race(sockets.map((socket) => once(socket, "close")));
    for (const socket of sockets) socket.destroy();
    let status = 0;
    for (let wait = 0; wait < 200 && status !== 200; wait++) {
      status = await health(url).catch(() => 0);
      await sleep(50);
    }
    expect(status).toBe(200);
    server.child.kill("SIGTERM");
    expect(await server.ended).toMatchObject({ exitCode: 0 });
  },
);

test.each([
  ["far east, Turkish", { TZ: "Pacific/Kiritimati", LC_ALL: "tr_TR.UTF-8" }],
  ["far west, no language", { TZ: "Etc/GMT+12", LC_ALL: "C" }],
])("a server serves where it is %s (RL-04, G-19)", async (_where, env) => {
  const { server, url } = await serve(env);
  const before = Date.now();
  expect(await health(url)).toBe(200);
  const launched = await fetch(`${url}/v1/models`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model_name: "demo", model_uid: "I-i" }),
  });
  expect(launched.status, await launched.text()).toBe(200);
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "CONTENT-TYPE": "APPLICATION/JSON" },
    body: JSON.stringify({
      model: "I-i",
      messages: [{ role: "user", content: "Which number?" }],
      max_tokens: 4,
    }),
  });
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  const { created } = JSON.parse(text) as { readonly created: number };
  expect(created).toBeGreaterThanOrEqual(Math.floor(before / 1_000));
  expect(created).toBeLessThanOrEqual(Date.now() / 1_000);
  server.child.kill("SIGTERM");
  expect(await server.ended).toMatchObject({ exitCode: 0 });
});

const alone = ["-Urn", "sh", "-c"];
const withoutIpv6 = "ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1";
const canBeAlone = spawnSync("unshare", [...alone, withoutIpv6]).status === 0;

test.skipIf(!canBeAlone)(
  "a server without IPv6 serves at its default address, which localhost is too (RL-07)",
  () => {
    const home = mkdtempSync(join(tmpdir(), "atalaya-home-"));
    try {
      const { stdout, stderr } = spawnSync(
        "unshare",
        [
          ...alone,
          `${withoutIpv6} && exec "$0" --input-type=module --eval "$1" dist/src/cli/main.js`,
          process.execPath,
          askServer,
        ],
        {
          cwd: packageRoot(),
          env: { ...process.env, ATALAYA_HOME: home },
          encoding: "utf8",
          timeout: 100_000,
        },
      );
      expect(stdout, stderr).toBe("200 200 0");
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
);

test.skipIf(!canBeAlone)("a server whose default address does not exist says so (RL-07)", () => {
  const home = mkdtempSync(join(tmpdir(), "atalaya-home-"));
  try {
    const { status, stderr } = spawnSync(
      "unshare",
      [
        ...alone,
        'ip link set lo up && ip addr del 127.0.0.1/8 dev lo && exec "$0" dist/src/cli/main.js serve',
        process.execPath,
      ],
      {
        cwd: packageRoot(),
        env: { ...process.env, ATALAYA_HOME: home },
        encoding: "utf8",
        timeout: 100_000,
      },
    );
    expect(stderr).toBe(
      "atalaya: This machine has no address 127.0.0.1. Choose another with --host or ATALAYA_HOST.\n",
    );
    expect(status).toBe(2);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

/** A program: starts a server, prints what its two addresses answer, and how it ends. */
const askServer = `
  import { spawn } from "node:child_process";
  import { once } from "node:events";
  const server = spawn(process.execPath, [process.argv[1], "serve"], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  for await (const data of server.stderr) {
    said += data;
    if (said.includes("Serving at")) break;
  }
  const of = async (host) => (await fetch("http://" + host + ":9997/health")).status;
  const statuses = [await of("127.0.0.1"), await of("localhost")];
  server.kill("SIGTERM");
  const [code] = await once(server, "exit");
  process.stdout.write([...statuses, code].join(" "));
`;
