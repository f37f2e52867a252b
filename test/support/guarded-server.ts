/** A server that asks for keys, over a fake engine, with one key and account of each kind. */
import { createLogger, type Logger } from "../../src/base/logger.ts";
import type { FileAccounts } from "../../src/identity/auth-config.ts";
import { Platform } from "../../src/platform.ts";
import type { App } from "../../src/server/http.ts";
import type { FakeAnswer, FakeEngine } from "./fake-engine.ts";
import { fakeEngine, findNative, tinyCheckpoint } from "./serve.ts";

export const password = "correct horse battery";

export interface GuardedServer extends AsyncDisposable {
  readonly platform: Platform;
  readonly engine: FakeEngine;
  readonly app: App;
  /** Secrets. */
  readonly adminKey: string;
  readonly inferenceKey: string;
}

/** The model answers to `fake`; the accounts `root` and `operator` have the password above. */
export async function guardedServer({
  answer = "Hello",
  fileAccounts,
  host = "127.0.0.1",
  log = createLogger("silent"),
  trustedProxies = [],
  maxNumSeqs,
  maxQueuedRequests,
}: {
  readonly answer?: FakeAnswer | string;
  readonly fileAccounts?: FileAccounts;
  readonly host?: string;
  readonly log?: Logger;
  readonly trustedProxies?: readonly string[];
  /** Answers that the engine is said to take at one time. */
  readonly maxNumSeqs?: number;
  readonly maxQueuedRequests?: number;
} = {}): Promise<GuardedServer> {
  const engine = await fakeEngine(answer);
  const platform = new Platform({
    log,
    maxQueuedRequests,
    identity: { isRequired: true, fileAccounts },
    access: { trustedProxies, corsOrigins: ["https://chat.example.org"] },
    parts: { findEngine: findNative(async () => engine) },
  });
  await platform.supervisor.launch({
    model: tinyCheckpoint,
    uid: "fake",
    engine: "native",
    profile: "ref",
    maxModelLen: undefined,
    maxNumSeqs,
    kvCacheDtype: undefined,
    numThreads: undefined,
  });
  await platform.supervisor.whenSettled("fake");
  const { keys } = platform.identity;
  const [admin, inference] = await Promise.all([
    keys.create({ name: "admin", permissions: ["admin"] }, "test"),
    keys.create({ name: "inference", permissions: ["models:list", "models:read"] }, "test"),
  ]);
  const app = platform.app({ host });
  await app.ready();
  return {
    platform,
    engine,
    app,
    adminKey: admin.secret,
    inferenceKey: inference.secret,
    [Symbol.asyncDispose]: async () => {
      await app.close();
      await platform[Symbol.asyncDispose]();
    },
  };
}
