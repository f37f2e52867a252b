/** Starts `serve-fake.ts` or `serve-bare.ts`, and asks how it is. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { packageRoot } from "../../../src/config/package.ts";

export type ServerState = {
  readonly residentBytes: number;
  readonly numRunning: number;
  /** Processor time since it started. */
  readonly cpuMs: number;
};

export interface ForkedServer extends Disposable {
  readonly url: string;
  state(): Promise<ServerState>;
}

/** Needs a build. */
export async function forkFakeServer(options: {
  readonly numTokens: number;
  readonly tokenDelayMs: number;
  /** Fastify alone, in place of ours. */
  readonly isBare?: boolean;
}): Promise<ForkedServer> {
  const { numTokens, tokenDelayMs, isBare = false } = options;
  const name = isBare ? "serve-bare.js" : "serve-fake.js";
  const file = join(packageRoot(), "dist/test/support/load", name);
  const child = fork(file, [`${numTokens}`, `${tokenDelayMs}`], { execArgv: [] });
  const ended = once(child, "exit").then(() => {
    throw new Error("the server ended before it listened");
  });
  const [{ url }] = (await Promise.race([once(child, "message"), ended])) as [{ url: string }];
  // From here on it ends when it is told to.
  ended.catch(() => undefined);
  return {
    url,
    state: async () => {
      child.send("state");
      const [state] = (await once(child, "message")) as [ServerState];
      return state;
    },
    [Symbol.dispose]: () => child.kill("SIGKILL"),
  };
}
