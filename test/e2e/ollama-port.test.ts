/** `atalaya serve --ollama`, as built: the port where Ollama's clients look. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test } from "vitest";
import { packageRoot, packageVersion } from "../../src/config/package.ts";

const program = join(packageRoot(), "dist/src/cli/main.js");
const open: Server[] = [];
const running: ChildProcess[] = [];

beforeAll(() => {
  if (!existsSync(program)) throw new Error("Build first: npm run build");
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null) continue;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
  for (const server of open.splice(0)) server.close();
});

/** An address of its own, so that an Ollama on this machine is not in the way. */
const host = "127.0.0.77";

function serve(): { said: (pattern: RegExp) => Promise<string>; child: ChildProcess } {
  const args = [program, "serve", "--ollama", "--host", host, "--port", "0"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  running.push(child);
  let text = "";
  const said = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(text)) resolve(text);
      };
      child.stderr?.on("data", (data: Buffer) => {
        text += data.toString();
        look();
      });
      child.once("close", () => reject(new Error(`ended, having said: ${text}`)));
      look();
    });
  return { said, child };
}

test("answers on both ports, by the name it is bound to", async () => {
  const said = await serve().said(/clients at/);
  const first = /Serving at (\S+)\/v1/.exec(said)?.[1];
  expect(said).toContain(`Serving Ollama's clients at http://${host}:11434 too.`);
  for (const url of [first, `http://${host}:11434`]) {
    const version = await fetch(`${url}/api/version`);
    expect(await version.json()).toEqual({ version: "0.24.0", atalaya: packageVersion() });
  }
  expect(await (await fetch(`http://${host}:11434/`)).text()).toMatch(/^Ollama is running/);
  expect((await fetch(`${first}/`)).status).toBe(404);
});

test("says so when the port is taken, and ends", async () => {
  const other = createServer();
  open.push(other);
  other.listen(11_434, host);
  await once(other, "listening");
  const { said, child } = serve();
  await said(/Port 11434 on 127\.0\.0\.77 is taken by another program/);
  const exitCode = child.exitCode ?? (await new Promise((resolve) => child.once("exit", resolve)));
  expect(exitCode).toBe(73);
});
