import { expect, test } from "vitest";
import type { PullEvent } from "../hub/pull.ts";
import { FileDownloads } from "./file-downloads.ts";

const plan = (...files: (readonly [path: string, size: number, here: number])[]): PullEvent => ({
  type: "plan",
  hub: "huggingface",
  host: "h",
  repo: "a/b",
  commit: "c",
  licence: undefined,
  directory: "/d",
  files: files.map(([path, sizeBytes, hereBytes]) => ({ path, sizeBytes, hereBytes })),
});

test("each file is where its events say, with the speed of what came now", () => {
  let now = 0;
  const downloads = new FileDownloads(() => now);
  expect(downloads.sum()).toEqual({ fraction: 1, totalBytes: 0 });
  expect(downloads.add(plan(["a", 100, 40], ["b", 50, 50], ["c", 50, 0]))).toBe(true);
  expect(downloads.sum()).toEqual({ fraction: 0.45, totalBytes: 200 });
  downloads.add({ type: "file-progress", path: "a", doneBytes: 40 });
  now = 2_000;
  downloads.add({ type: "file-progress", path: "a", doneBytes: 60 });
  expect(downloads.add({ type: "file-waiting", path: "c" })).toBe(false);
  expect(downloads.list()).toEqual([
    {
      path: "a",
      sizeBytes: 100,
      doneBytes: 60,
      state: "downloading",
      elapsedMs: 2_000,
      bytesPerSecond: 10,
    },
    { path: "b", sizeBytes: 50, doneBytes: 50, state: "ready", elapsedMs: 0, bytesPerSecond: 0 },
    { path: "c", sizeBytes: 50, doneBytes: 0, state: "waiting", elapsedMs: 0, bytesPerSecond: 0 },
  ]);
  now = 4_000;
  downloads.add({ type: "file-verifying", path: "a" });
  expect(downloads.list()[0]?.state).toBe("verifying");
  downloads.add({ type: "file-ready", path: "a" });
  now = 9_000;
  expect(downloads.list()[0]).toMatchObject({ state: "ready", doneBytes: 100, elapsedMs: 4_000 });
  expect(downloads.sum().fraction).toBe(0.75);
});

test("a second plan, of another hub, takes the place of the first", () => {
  const downloads = new FileDownloads();
  downloads.add(plan(["a", 100, 50]));
  downloads.add(plan(["a", 10, 0]));
  expect(downloads.sum()).toEqual({ fraction: 0, totalBytes: 10 });
  expect(downloads.add({ type: "file-progress", path: "unknown", doneBytes: 9 })).toBe(true);
  expect(downloads.sum().fraction).toBe(0);
});
