import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type LaunchEvent, LaunchLog } from "./launch-log.ts";

const progress = (path: string, doneBytes: number): LaunchEvent => ({
  type: "download",
  event: { type: "file-progress", path, doneBytes },
});
const stage = (name: string, fraction?: number): LaunchEvent => ({
  type: "stage",
  stage: name,
  fraction,
});
const retry = (reason: string): LaunchEvent => ({
  type: "download",
  event: { type: "retry", path: undefined, reason, waitMs: 1 },
});

async function read(log: LaunchLog, signal = new AbortController().signal): Promise<LaunchEvent[]> {
  const events: LaunchEvent[] = [];
  for await (const event of log.follow(signal)) events.push(event);
  return events;
}

test("who comes late gets what still counts, in the order it came", async () => {
  const log = new LaunchLog();
  for (const event of [
    stage("downloading", 0),
    progress("a", 1),
    retry("away"),
    progress("a", 2),
    stage("downloading", 0.5),
    progress("b", 7),
    stage("loading"),
  ]) {
    log.add(event);
  }
  log.end();
  expect(await read(log)).toEqual([
    retry("away"),
    progress("a", 2),
    stage("downloading", 0.5),
    progress("b", 7),
    stage("loading"),
  ]);
});

test("who follows gets the last of everything, however fast it comes", async () => {
  const log = new LaunchLog();
  const both = [read(log), read(log)];
  for (let doneBytes = 0; doneBytes <= 2_000; doneBytes++) {
    log.add(progress("a", doneBytes));
    if (doneBytes % 500 === 0) await sleep(30);
  }
  log.add(stage("loading"));
  log.end();
  for (const events of await Promise.all(both)) {
    expect(events.slice(-2)).toEqual([progress("a", 2_000), stage("loading")]);
    expect(events.length).toBeLessThan(50);
  }
});

test("of a connection that fails for ever, what is kept has a bound", async () => {
  const log = new LaunchLog();
  for (let at = 0; at < 1_000; at++) log.add(retry(`${at}`));
  log.end();
  const events = await read(log);
  expect(events).toHaveLength(200);
  expect(events.at(-1)).toEqual(retry("999"));
});

test("who stops following is let go at once", async () => {
  const log = new LaunchLog();
  const controller = new AbortController();
  const following = read(log, controller.signal);
  await sleep(10);
  controller.abort();
  expect(await following).toEqual([]);
});
