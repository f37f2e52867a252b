/** A server that is killed, and the one that comes after it. */
import { join } from "node:path";
import { AtalayaClient } from "@atalaya/client";
import type { AutostartRecord, AutostartReply } from "@atalaya/protocol";
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

test("what ran comes back after kill -9, and what was terminated does not (RL-01, G-18)", async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, "home");
  const first = await serve(home);
  await first.client.launch({ model_name: "demo", model_uid: "kept", max_model_len: 512 });
  await first.client.launch({ model_name: "demo", model_uid: "ended" });
  await first.client.terminate("ended");
  await first.client.launch({ model_name: "demo", model_uid: "other", replica: 2 });
  await first.client.addReplica("kept");

  const second = await new Program(["serve", "--port", "0"], { ATALAYA_HOME: home }).ended;
  expect(second.exitCode).toBe(73);
  expect(second.stderr).toBe(
    `atalaya: Another server (process ${first.server.child.pid}) uses ${home}, at ${first.url}. Talk to that one, or set ATALAYA_HOME to another directory for this one.\n`,
  );

  first.server.child.kill("SIGKILL");
  await first.server.ended;
  const third = await serve(home);
  await third.server.says(/Starting again what was running: kept, other\./);
  await third.server.says(/other is ready/);
  expect((await third.client.listModels()).map(({ id, replica }) => [id, replica])).toEqual([
    ["kept", 2],
    ["other", 2],
  ]);
  for await (const chunk of third.client.streamChat({ ...demo, model: "kept", max_tokens: 4 })) {
    expect(chunk.object).toBe("chat.completion.chunk");
  }
  third.server.child.kill("SIGTERM");
  expect(await third.server.ended).toMatchObject({ exitCode: 0 });

  const fourth = await serve(home, "--no-autostart");
  expect(await fourth.client.listModels({ state: "all" })).toEqual([]);
  await fourth.client.terminate("kept");
  await fourth.client.terminate("other");
  fourth.server.child.kill("SIGTERM");
  expect((await fourth.server.ended).stderr).not.toContain("Starting again");
});

test("a server that is told to stop lets an answer end (RL-08, WK-14, G-16)", async () => {
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

test("what is to start with the server does, in its order, whether it ran or not", async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, "home");
  const wish = async (url: string, body: object): Promise<Response> =>
    await fetch(`${url}/v1/autostart/models`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const listed = async (url: string): Promise<AutostartRecord[]> => {
    const reply = await fetch(`${url}/v1/autostart/models`);
    return [...((await reply.json()) as AutostartReply).models];
  };
  const launch = { model_name: "demo", model_engine: "native", max_model_len: 512 };
  const first = await serve(home);
  const late = { launch: { ...launch, model_uid: "late" }, priority: 200 };
  expect((await wish(first.url, late)).status).toBe(200);
  // Flat, as it may be sent too.
  expect((await wish(first.url, { ...launch, model_uid: "soon", priority: 1 })).status).toBe(200);
  const middle = { launch: { ...launch, model_uid: "middle" }, max_retries: 1 };
  await wish(first.url, { ...middle, retry_interval_seconds: 0.01 });
  const wrong = await wish(first.url, { launch: { ...launch, model_name: "demmo" } });
  expect(wrong.status).toBe(400);
  expect(await wrong.json()).toMatchObject({
    detail: expect.stringMatching(/^Model not found, name: demmo, .* Did you mean demo\?/s),
  });
  expect((await listed(first.url)).map(({ model_uid: uid, state }) => [uid, state])).toEqual(
    ["soon", "middle", "late"].map((uid) => [
      uid,
      { attempts: 0, instance_status: "TERMINATED", last_error: null },
    ]),
  );
  await first.client.launch({ model_name: "demo", model_uid: "ran" });
  await wish(first.url, { launch: { model_uid: "ran" }, enabled: false });
  first.server.child.kill("SIGKILL");
  await first.server.ended;

  const second = await serve(home);
  await second.server.says(
    /Starting what was running, or is to start with the server: soon, middle, late\./,
  );
  await second.server.says(/late is ready/);
  const { stderr } = second.server;
  expect(stderr.indexOf("soon is ready")).toBeLessThan(stderr.indexOf("late is ready"));
  expect((await second.client.listModels()).map(({ id }) => id)).toEqual([
    "soon",
    "middle",
    "late",
  ]);
  const [soon] = await listed(second.url);
  expect(soon).toMatchObject({
    model_uid: "soon",
    priority: 1,
    launch: { model_name: "demo" },
    state: { attempts: 1, instance_status: "READY", last_error: null },
  });

  // Terminated, it starts again the next time; taken off the list, it does not.
  await second.client.terminate("soon");
  await fetch(`${second.url}/v1/autostart/models/late`, { method: "DELETE" });
  await fetch(`${second.url}/v1/autostart/models/middle`, { method: "DELETE" });
  second.server.child.kill("SIGTERM");
  await second.server.ended;
  const third = await serve(home);
  await third.server.says(/is to start with the server: soon\./);
  await third.server.says(/soon is ready/);
  expect((await third.client.listModels()).map(({ id }) => id)).toEqual(["soon"]);
});
