/**
 * Xinference's own client, of both generations, waiting and not: models are launched, told of, asked, scaled,
 * registered, cancelled and terminated with it, as its users do.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { demoPictures } from "../../src/config/package.ts";
import type { XinferenceEra } from "../../src/config/settings.ts";
import { Platform } from "../../src/platform.ts";
import { lackOfPython, testPython } from "../support/python.ts";
import { fakeEngine, findNative, tinyCheckpoint } from "../support/serve.ts";
import { dataUrl } from "./clients/client.ts";
import { olderXinferenceClient } from "./clients/python.ts";

const script = fileURLToPath(new URL("clients/python/xinference_manage.py", import.meta.url));
const missing = await lackOfPython(["xinference_client"]);
const log = createLogger("silent");

let home: string;
const open: Platform[] = [];
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "atalaya-xinference-"));
});
afterAll(async () => {
  await Promise.all(open.map((platform) => platform[Symbol.asyncDispose]()));
  await rm(home, { recursive: true });
});

async function listen(platform: Platform): Promise<string> {
  open.push(platform);
  return await platform.listen({ host: "127.0.0.1", port: 0 });
}

const settings = (compat: XinferenceEra) => ({
  home,
  modelRoots: [dirname(tinyCheckpoint)],
  compat,
});

/** Whose models never finish loading. */
function loadingPlatform(compat: XinferenceEra): Platform {
  return new Platform({
    log,
    settings: settings(compat),
    parts: {
      findEngine: findNative(async (_, { signal }) => {
        await new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
        throw new Error("it only ends by being told to");
      }),
    },
  });
}

/** Which answers slowly, and may be stopped. */
async function askingPlatform(compat: XinferenceEra, stop: () => void): Promise<Platform> {
  const engine = await fakeEngine({ text: "x".repeat(900), tokenDelayMs: 10 });
  const platform = new Platform({
    log,
    settings: settings(compat),
    stop,
    parts: { findEngine: findNative(async () => engine) },
  });
  await platform.supervisor.launch({
    model: tinyCheckpoint,
    uid: "fake",
    engine: "native",
    profile: "ref",
    maxModelLen: undefined,
    maxNumSeqs: undefined,
    kvCacheDtype: undefined,
    numThreads: undefined,
  });
  await platform.supervisor.whenSettled("fake");
  return platform;
}

const everyStep = [
  "launch",
  "list and describe",
  "chat with a picture, whole and streamed",
  "call a function, whole and streamed",
  "generate, whole and streamed",
  "read what is wrong with a question",
  "read why a launch is refused",
  "register, launch by that name, unregister",
  "ask which engines there are",
  "caches and the cluster",
  "terminate",
  "abort a request by its id",
  "stop the server",
];
const newerSteps = [
  "instances and progress",
  "scale up and down",
  "launch without waiting, and cancel",
];

test.for([
  { name: "4.1", kind: "sync", compat: "3", path: undefined },
  { name: "4.1", kind: "async", compat: "3", path: undefined },
  { name: "0.16", kind: "sync", compat: "0.16", path: olderXinferenceClient },
  {
    name: "0.16, against the newer generation",
    kind: "sync",
    compat: "3",
    path: olderXinferenceClient,
  },
] as const)(
  "$kind client $name",
  { timeout: 120_000 },
  async ({ kind, compat, path }, { skip }) => {
    skip(missing !== undefined, `missing: ${missing}`);
    let isStopped = false;
    const asking = await askingPlatform(compat, () => {
      isStopped = true;
    });
    const facts = {
      url: await listen(
        new Platform({
          log,
          settings: settings(compat),
          env: { ...process.env, HF_HOME: home, MODELSCOPE_CACHE: home },
        }),
      ),
      loading: await listen(loadingPlatform(compat)),
      asking: await listen(asking),
      checkpoint: tinyCheckpoint,
      size: 0.0003,
      picture: dataUrl(await readFile(join(demoPictures(), "first.png"))),
      last_delta: compat === "3" ? { content: "" } : {},
    };
    const env = { ...process.env, ...(path !== undefined && { PYTHONPATH: path }) };
    const { stdout } = await promisify(execFile)(
      testPython,
      [script, kind, JSON.stringify(facts)],
      { env },
    );
    const steps = path === undefined ? [...everyStep, ...newerSteps] : everyStep;
    expect(stdout.trim().split("\n").toSorted()).toEqual(steps.toSorted());
    expect(isStopped).toBe(true);
  },
);
