/** Our client against the test hub, with short waits and a cache of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hub, type HubPullOptions } from "../../../src/hub/hub.ts";
import type { HubLimits } from "../../../src/hub/limits.ts";
import type { PullEvent, Pulled } from "../../../src/hub/pull.ts";
import { readHubSettings } from "../../../src/hub/settings.ts";
import type { VerifiedFiles } from "../../../src/hub/verified-files.ts";
import { quickLimits } from "./limits.ts";
import type { TestHub } from "./test-hub.ts";

export type PullRequest = {
  readonly limits?: HubLimits;
  readonly env?: NodeJS.ProcessEnv;
  readonly options?: Partial<Omit<HubPullOptions, "repo">>;
  /** Told what was compared with its checksum. */
  readonly verified?: VerifiedFiles;
};

export type PullResult = Pulled & { readonly events: readonly PullEvent[] };

export class TestClient implements AsyncDisposable {
  readonly home: string;
  readonly #hub: TestHub;

  private constructor(home: string, hub: TestHub) {
    this.home = home;
    this.#hub = hub;
  }

  static async for(hub: TestHub): Promise<TestClient> {
    return new TestClient(await mkdtemp(join(tmpdir(), "hub-client-")), hub);
  }

  get hubCache(): string {
    return join(this.home, "huggingface", "hub");
  }

  get modelScopeCache(): string {
    return join(this.home, "modelscope");
  }

  /** What a shell of this person would have set. */
  get env(): Record<string, string> {
    return {
      HF_ENDPOINT: this.#hub.url,
      HF_HOME: join(this.home, "huggingface"),
      MODELSCOPE_ENDPOINT: this.#hub.url,
      MODELSCOPE_CACHE: this.modelScopeCache,
    };
  }

  async open({ limits = quickLimits, env = {}, verified }: PullRequest = {}): Promise<Hub> {
    const settings = await readHubSettings({ ...this.env, ...env }, this.home);
    const told = verified === undefined ? {} : { verified };
    return new Hub(settings, { version: "0.0.0", limits, ...told });
  }

  async pull(repo: HubPullOptions["repo"], request: PullRequest = {}): Promise<PullResult> {
    const events: PullEvent[] = [];
    const hub = await this.open(request);
    const pulled = await hub.pull({
      hub: "huggingface",
      revision: undefined,
      include: [],
      exclude: [],
      verify: false,
      signal: new AbortController().signal,
      ...request.options,
      repo,
      onEvent: (event) => {
        events.push(event);
        request.options?.onEvent?.(event);
      },
    });
    return { ...pulled, events };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}
