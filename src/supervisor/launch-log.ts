/**
 * What happened in one launch, for whoever watches: also for those who come late, and for those who read
 * slowly. Of what only the latest state counts (how far a file is), only the latest is kept.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { PullEvent } from "../hub/pull.ts";

/**
 * In this order, those that a launch needs: where the files are, their download, their checksums, the engine's
 * environment, quantizing, loading, and one token to see that it answers. Engines name their own
 * stages of loading.
 */
export type LaunchStage = {
  readonly stage: string;
  /** Of the stage, 0 to 1; `undefined` when it cannot be told. */
  readonly fraction: number | undefined;
  /** What the fraction is of, where it is bytes. */
  readonly totalBytes?: number | undefined;
};

export type LaunchEvent =
  | ({ readonly type: "stage" } & LaunchStage)
  | { readonly type: "download"; readonly event: PullEvent };

/** Tries again of a bad connection, and the like: the last of them tell enough. */
const MAX_NOTICES = 200;
/** Between two events of a follower, so that a fast download does not flood it. */
const QUIET_MS = 100;

export class LaunchLog {
  /** By what they are about, the oldest first. */
  readonly #latest = new Map<string, { readonly at: number; readonly event: LaunchEvent }>();
  readonly #noticeKeys: string[] = [];
  #count = 0;
  #hasEnded = false;
  /** Those who wait for more. */
  #waiting: (() => void)[] = [];

  add(event: LaunchEvent): void {
    const key = keyOf(event) ?? this.#noticeKey();
    this.#latest.delete(key);
    this.#latest.set(key, { at: ++this.#count, event });
    this.#wake();
  }

  /** Nothing more comes. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** What is known, then what comes, until the launch has ended or `signal` aborts. */
  async *follow(signal: AbortSignal): AsyncGenerator<LaunchEvent, void> {
    const onAbort = (): void => this.#wake();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (let seen = 0; !signal.aborted; ) {
        const isLast = this.#hasEnded;
        const known = Array.from(this.#latest.values());
        for (const { at, event } of known) {
          if (at <= seen) continue;
          seen = at;
          yield event;
        }
        if (isLast) return;
        if (seen === this.#count && !this.#hasEnded) await this.#more();
        await sleep(QUIET_MS, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #noticeKey(): string {
    const key = `notice:${this.#count}`;
    this.#noticeKeys.push(key);
    if (this.#noticeKeys.length > MAX_NOTICES) this.#latest.delete(this.#noticeKeys.shift() ?? "");
    return key;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** @returns `undefined` for what is worth telling each time */
function keyOf(event: LaunchEvent): string | undefined {
  if (event.type === "stage") return `stage:${event.stage}`;
  const { event: pulled } = event;
  switch (pulled.type) {
    case "plan":
      return "plan";
    case "file-progress":
    case "file-verifying":
    case "file-ready":
      return `file:${pulled.path}`;
    case "hub-skipped":
    case "file-waiting":
    case "retry":
      return undefined;
    default:
      return pulled satisfies never;
  }
}
