/** A server that is killed, and the one that comes after it. */
import { join } from "node:path";
import { AtalayaClient } from "@atalaya/client";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { killAll, Program, requireBuild } from "../support/program.ts";

// A program's start takes a while on a busy machine, and some tests start several.
vi.setConfig({ testTimeout: 120_000 });
beforeAll(requireBuild);
afterEach(killAll);

const demo = { model: "demo", messages: [{ role: "user" as const, content: "Which number?" }] };

async function serve(home: string, ...args: readonly string[]) {
  const server = new Program(["serve", "--port", "0", ...args], { ATALAYA_HOME: home });
  const url = await server.says(/Serving at (http:\S+)\/v1/);
  return { server, client: new AtalayaClient({ endpoint: url }), url };
}

test("what ran comes back after kill -9, and what was terminated does not (RL-01)", async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, "home");
  const first = await serve(home);
  await first.client.launch({ model_name: "demo", model_uid: "kept", max_model_len: 512 });
  await first.client.launch({ model_name: "demo", model_uid: "ended" });
  await first.client.terminate("ended");

  const second = await new Program(["serve", "--port", "0"], { ATALAYA_HOME: home }).ended;
  expect(second.exitCode).toBe(73);
  expect(second.stderr).toBe(
    `atalaya: Another server (process ${first.server.child.pid}) uses ${home}, at ${first.url}. Talk to that one, or set ATALAYA_HOME to another directory for this one.\n`,
  );

  first.server.child.kill("SIGKILL");
  await first.server.ended;
  const third = await serve(home);
  await third.server.says(/Starting again what was running: kept\./);
  await third.server.says(/kept is ready/);
  expect((await third.client.listModels()).map(({ id }) => id)).toEqual(["kept"]);
  for await (const chunk of third.client.streamChat({ ...demo, model: "kept", max_tokens: 4 })) {
    expect(chunk.object).toBe("chat.completion.chunk");
  }
  third.server.child.kill("SIGTERM");
  expect(await third.server.ended).toMatchObject({ exitCode: 0 });

  const fourth = await serve(home, "--no-autostart");
  expect(await fourth.client.listModels({ state: "all" })).toEqual([]);
  await fourth.client.terminate("kept");
  fourth.server.child.kill("SIGTERM");
  expect((await fourth.server.ended).stderr).not.toContain("Starting again");
});

test("a server that is told to stop lets an answer end (RL-08)", async () => {
  using folder = temporaryFolder();
  const { server, client } = await serve(join(folder.path, "home"), "demo");
  await server.says(/demo is ready/);
  const reasons: unknown[] = [];
  let hasBegun = false;
  for await (const { choices } of client.streamChat({ ...demo, max_tokens: 40 })) {
    if (!hasBegun) server.child.kill("SIGTERM");
    hasBegun = true;
    reasons.push(choices[0]?.finish_reason);
  }
  expect(reasons.at(-1)).toMatch(/^(stop|length)$/);
  const { exitCode, stderr } = await server.ended;
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(/Stopping: answers under way get 30 seconds/);
  expect(stderr).not.toMatch(/cut off/);
});
