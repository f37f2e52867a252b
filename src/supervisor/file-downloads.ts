/** How far each file of a launch's download is, and all of them together. Pure but for the clock it is given. */
import type { PullEvent } from "../hub/pull.ts";

export type FileDownload = {
  readonly path: string;
  readonly sizeBytes: number;
  readonly doneBytes: number;
  readonly state: "waiting" | "downloading" | "verifying" | "ready";
  /** Since its first byte came; 0 before. */
  readonly elapsedMs: number;
  /** Of what came in that time; 0 while it cannot be told. */
  readonly bytesPerSecond: number;
};

type File = {
  readonly sizeBytes: number;
  doneBytes: number;
  state: FileDownload["state"];
  /** When its first byte came, and how much was here by then. */
  startedAt: number | undefined;
  startBytes: number;
  endedAt: number | undefined;
};

export class FileDownloads {
  readonly #files = new Map<string, File>();
  readonly #nowMs: () => number;
  #totalBytes = 0;
  #doneBytes = 0;

  /** @param nowMs a clock that only goes forward */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** @returns whether it says how far a file is */
  add(event: PullEvent): boolean {
    switch (event.type) {
      case "plan":
        for (const { path, sizeBytes, hereBytes } of event.files) {
          this.#forget(path);
          const state = hereBytes >= sizeBytes ? ("ready" as const) : ("waiting" as const);
          const rest = { startedAt: undefined, startBytes: hereBytes, endedAt: undefined };
          this.#files.set(path, { sizeBytes, doneBytes: hereBytes, state, ...rest });
          this.#totalBytes += sizeBytes;
          this.#doneBytes += hereBytes;
        }
        return true;
      case "file-progress":
        this.#moves(event.path, "downloading", event.doneBytes);
        return true;
      case "file-verifying":
        this.#moves(event.path, "verifying");
        return false;
      case "file-ready":
        this.#moves(event.path, "ready", this.#files.get(event.path)?.sizeBytes);
        return true;
      case "hub-skipped":
      case "file-waiting":
      case "retry":
        return false;
      default:
        return event satisfies never;
    }
  }

  /** In the order of the plan. */
  list(): readonly FileDownload[] {
    return [...this.#files].map(([path, file]) => {
      const { sizeBytes, doneBytes, state, startedAt, startBytes, endedAt } = file;
      const elapsedMs = startedAt === undefined ? 0 : (endedAt ?? this.#nowMs()) - startedAt;
      const bytesPerSecond =
        elapsedMs === 0 ? 0 : Math.max(0, ((doneBytes - startBytes) * 1_000) / elapsedMs);
      return { path, sizeBytes, doneBytes, state, elapsedMs, bytesPerSecond };
    });
  }

  /** Of all files together. */
  sum(): { readonly fraction: number; readonly totalBytes: number } {
    const totalBytes = this.#totalBytes;
    return { fraction: totalBytes === 0 ? 1 : this.#doneBytes / totalBytes, totalBytes };
  }

  #moves(path: string, state: File["state"], doneBytes?: number): void {
    const file = this.#files.get(path);
    if (file === undefined) return;
    file.state = state;
    if (state === "downloading") file.startedAt ??= this.#nowMs();
    else if (file.startedAt !== undefined) file.endedAt ??= this.#nowMs();
    if (doneBytes === undefined) return;
    this.#doneBytes += doneBytes - file.doneBytes;
    file.doneBytes = doneBytes;
  }

  #forget(path: string): void {
    const before = this.#files.get(path);
    this.#totalBytes -= before?.sizeBytes ?? 0;
    this.#doneBytes -= before?.doneBytes ?? 0;
  }
}
