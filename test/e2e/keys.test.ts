/** A server that others reach, as its operator sees it: keys, accounts, files, and what is logged. */
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AtalayaClient } from "@atalaya/client";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { killAll, Program, requireBuild } from "../support/program.ts";

// A program's start takes a while on a busy machine, and some tests start several.
vi.setConfig({ testTimeout: 120_000 });
beforeAll(requireBuild);
afterEach(killAll);

const password = "canary-of-a-password";

test("keys and logins open a server that others reach, and are in no log (LG-01)", async () => {
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

test("a file of users is read as Xinference reads it, and not when others can", async () => {
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
