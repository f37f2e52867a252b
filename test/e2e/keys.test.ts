/** A server that others reach, as its operator sees it: keys, accounts, files, and what is logged. */
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AtalayaClient } from "@atalaya/client";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { packageRoot } from "../../src/config/package.ts";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { hasTerminals, onTerminal } from "../support/on-terminal.ts";
import { killAll, Program, requireBuild } from "../support/program.ts";

// A program's start takes a while on a busy machine, and some tests start several.
vi.setConfig({ testTimeout: 120_000 });
beforeAll(requireBuild);
afterEach(killAll);

const password = "canary-of-a-password";
const shellOfProgram = [process.execPath, join(packageRoot(), "dist/src/cli/main.js")];

test("keys and logins open a server that others reach, and are in no log (LG-01, AU-18)", async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, "home");
  const run = async (...args: readonly string[]) => {
    const program = new Program(args, { ATALAYA_HOME: home });
    program.child.stdin?.end(`${password}\n`);
    return await program.ended;
  };
  const key = (await run("key", "create", "boss", "--scope", "admin")).stdout.trim();
  expect(key).toMatch(/^sk-atalaya-[\w-]{43}$/);
  expect((await run("key", "list")).stdout).toMatch(
    /^boss +sk-atalaya-[\w-]{6} +admin +never +never/m,
  );
  expect((await run("user", "add", "ann", "--scope", "operator")).exitCode).toBe(0);

  const server = new Program(
    ["serve", "demo", "--host", "0.0.0.0", "--port", "0", "--log-level", "debug"],
    { ATALAYA_HOME: home },
  );
  const port = await server.says(/Serving at http:\/\/0\.0\.0\.0:(\d+)\/v1/);
  const endpoint = `http://127.0.0.1:${port}`;
  await server.says(/demo is ready/);
  expect(server.stderr).toMatch(/WARNING: keys and answers travel in clear/);

  expect((await run("list", "--endpoint", endpoint)).exitCode).toBe(77);
  const login = await run("login", "--username", "ann", "--endpoint", endpoint);
  expect(login.stderr).toMatch(/Logged in at .* as ann for 12 hours\./);
  const [tokenFile = ""] = readdirSync(join(home, "auth"));
  const token = readFileSync(join(home, "auth", tokenFile), "utf8");
  expect(statSync(join(home, "auth", tokenFile)).mode & 0o777).toBe(0o600);
  expect((await run("list", "--endpoint", endpoint)).stdout).toMatch(/^demo /m);

  const client = new AtalayaClient({ endpoint, apiKey: key });
  const messages = [{ role: "user" as const, content: "canary of a prompt" }];
  for await (const _ of client.streamChat({ model: "demo", messages, max_tokens: 3 }));
  const wrong = new AtalayaClient({ endpoint, apiKey: `${key.slice(0, -1)}!` });
  await expect(wrong.listModels()).rejects.toMatchObject({ code: "unauthenticated" });
  await fetch(`${endpoint}/v1/models?api_key=${key}`);

  await run("key", "revoke", "boss");
  await expect(client.listModels()).rejects.toMatchObject({ code: "unauthenticated" });
  expect((await run("logout", "--endpoint", endpoint)).exitCode).toBe(0);
  expect(readdirSync(join(home, "auth"))).toEqual([]);
  server.child.kill("SIGTERM");
  const { exitCode, stdout, stderr } = await server.ended;
  expect(exitCode).toBe(0);
  const said = stdout + stderr;
  expect(said).toContain('"route":"/v1/chat/completions"');
  for (const canary of [key, key.slice(20), token, password, "canary"]) {
    expect(said).not.toContain(canary);
  }
  const kept = readFileSync(join(home, "state", "state.db"), "latin1");
  for (const canary of [key, token, password]) expect(kept).not.toContain(canary);
});

test("what a key and an account may is changed from the command line, beside a running server", async () => {
  using folder = temporaryFolder();
  const env = { ATALAYA_HOME: join(folder.path, "home") };
  const run = async (args: readonly string[], typed = "") => {
    const program = new Program(args, env);
    program.child.stdin?.end(typed);
    return await program.ended;
  };
  const key = (await run(["key", "create", "ci", "--model", "other"])).stdout.trim();
  const others = ["--scope", "operator", "--must-change"];
  await run(["user", "add", "ann", ...others], `${password}\n`);
  await run(["user", "add", "root", "--scope", "admin"], `${password}\n`);
  const server = new Program(["serve", "demo", "--auth", "--port", "0"], env);
  const endpoint = await server.says(/Serving at (http:\S+)\/v1/);
  await server.says(/demo is ready/);
  const client = new AtalayaClient({ endpoint, apiKey: key });
  const ask = async () =>
    await client.chat({ model: "demo", messages: [{ role: "user", content: "a" }], max_tokens: 1 });

  await expect(ask()).rejects.toMatchObject({ code: "forbidden" });
  const limits = ["--all-models", "--tokens-per-day", "1", "--expires", "1d"];
  expect((await run(["key", "set", "ci", ...limits])).stderr).toMatch(
    /^The key "ci" \(sk-atalaya-[\w-]{6}…\) may: models:list, models:read\. Models: all\. Limits: 1 tokens\/day\. Expires: 20\d\d-/,
  );
  await ask();
  await expect(ask()).rejects.toMatchObject({ code: "rate_limited" });
  // The server writes down what was used within a second.
  await expect
    .poll(async () => (await run(["key", "list"])).stdout, { timeout: 60_000, interval: 500 })
    .toMatch(
      /^ci +sk-\S+ +models:list, models:read +20\d\d-\S+ +20\d\d-.* +[1-9]\d* of 1 tokens\/day +all/m,
    );
  await run(["key", "set", "ci", "--tokens-per-day", "none", "--expires", "never", "--disable"]);
  await expect(ask()).rejects.toMatchObject({ code: "unauthenticated" });
  const shown = await run(["key", "set", "ci", "--enable", "--name", "ci 2", "--json"]);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    name: "ci 2",
    enabled: true,
    tokens_per_day: null,
    expires_at: null,
    used_today: { tokens: expect.any(Number) },
  });
  await ask();
  const nothing = await run(["key", "set", "ci 2"]);
  expect(nothing.stderr).toMatch(/Nothing is to be changed\. Say what/);
  expect(nothing.exitCode).toBe(2);

  const at = ["--username", "ann", "--endpoint", endpoint];
  const login = await run(["login", ...at], `${password}\n`);
  expect(login.stderr).toMatch(
    /must be changed .*: atalaya login --username ann --change-password/,
  );
  const refused = await run(["list", "--endpoint", endpoint]);
  expect(refused.stderr).toMatch(/ann must change its password before anything else/);
  expect(refused.exitCode).toBe(77);
  const next = "another canary";
  const changed = await run(["login", "--change-password", ...at], `${password}\n${next}\n`);
  expect(changed.stderr).toMatch(/ann has a new password; its other logins are over\.\nLogged in/);
  expect((await run(["list", "--endpoint", endpoint])).stdout).toMatch(/^demo /m);

  const set = await run(["user", "set", "ann", "--scope", "inference", "--max-concurrent", "2"]);
  expect(set.stderr).toBe(
    "ann may: models:list, models:read. Limits: 2 at once. Its logins are over.\n",
  );
  expect((await run(["list", "--endpoint", endpoint])).exitCode).toBe(77);
  await run(["user", "set", "ann", "--password", "--must-change"], "third canary\n");
  const listed = JSON.parse((await run(["user", "list", "--json"])).stdout);
  expect(listed).toContainEqual(
    expect.objectContaining({ username: "ann", max_concurrent: 2, must_change_password: true }),
  );
  for (const words of [
    ["set", "root", "--disable"],
    ["remove", "root"],
  ]) {
    const last = await run(["user", ...words]);
    expect(last.stderr, words.join(" ")).toMatch(/root is the last administrator\. Make another/);
    expect(last.exitCode).toBe(77);
  }
  if (!hasTerminals) return;
  const { shown: dialog, exitCode } = await onTerminal(
    [...shellOfProgram, "login", ...at],
    [
      { after: "Password for ann: ", type: ["third canary\r"] },
      { after: "New password: ", type: ["fourth canary\r"] },
      { after: "The same again: ", type: ["fourth canary\r"] },
    ],
    env,
  );
  expect(dialog).toMatch(/ann must have another password\.[\s\S]*ann has a new password/);
  expect(dialog).not.toContain("canary");
  expect(exitCode).toBe(0);
});

test("a server that others reach never starts open: it is refused, or shows a new key on a terminal (AU-17)", async ({
  skip,
}) => {
  using folder = temporaryFolder();
  const env = { ATALAYA_HOME: join(folder.path, "home") };
  const args = ["serve", "--host", "0.0.0.0", "--port", "0"];
  const refused = await new Program(args, env).ended;
  expect(refused.stderr).toMatch(/Other machines can reach 0\.0\.0\.0, .* atalaya key create/);
  expect(refused.exitCode).toBe(2);

  skip(!hasTerminals, "missing: Python, for a terminal");
  const { shown } = await onTerminal(
    [...shellOfProgram, ...args],
    [{ after: "Serving at ", type: ["\u0003"] }],
    env,
  );
  const [secret = ""] = /sk-atalaya-[\w-]{43}/.exec(shown) ?? [];
  expect(shown).toMatch(/An administrator's key, shown this once/);
  const server = new Program(args, env);
  const port = await server.says(/Serving at http:\/\/0\.0\.0\.0:(\d+)\/v1/);
  expect(server.stdout + server.stderr).not.toContain("sk-atalaya-");
  const ask = async (headers: Readonly<Record<string, string>>) =>
    (await fetch(`http://127.0.0.1:${port}/v1/models`, { headers })).status;
  expect(await ask({})).toBe(401);
  expect(await ask({ authorization: `Bearer ${secret}` })).toBe(200);
});

test("a file of users is read as Xinference reads it, and not when others can (AU-20)", async () => {
  using folder = temporaryFolder();
  const env = { ATALAYA_HOME: join(folder.path, "home") };
  const file = join(folder.path, "auth.json");
  const config = {
    auth_config: { algorithm: "HS256", secret_key: "0".repeat(64), token_expire_in_minutes: 30 },
    user_config: [
      {
        username: "u",
        password: "secret1",
        permissions: ["models:list"],
        api_keys: ["sk-72tkvudyGLPMi"],
      },
    ],
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  chmodSync(file, 0o644);
  const args = ["serve", "--port", "0", "--auth-config", file];
  const refused = await new Program(args, env).ended;
  expect(refused.stderr).toMatch(/Others on this machine can read .*auth\.json.*chmod 600/);
  expect(refused.exitCode).toBe(73);

  chmodSync(file, 0o600);
  const server = new Program(args, env);
  const endpoint = await server.says(/Serving at (http:\S+)\/v1/);
  const login = await new AtalayaClient({ endpoint }).logIn("u", "secret1");
  for (const apiKey of [login.access_token, "sk-72tkvudyGLPMi"]) {
    const client = new AtalayaClient({ endpoint, apiKey });
    expect(await client.listModels()).toEqual([]);
    await expect(client.launch({ model_name: "demo" })).rejects.toMatchObject({
      code: "forbidden",
    });
  }
  await expect(
    new AtalayaClient({ endpoint, apiKey: "sk-72tkvudyGLPMj" }).listModels(),
  ).rejects.toMatchObject({ status: 401, code: "unauthenticated" });
});
