/** Many clients at once, and clients that stop reading. */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { forkFakeServer } from "../support/load/fake-server.ts";
import { openStream, readStream } from "../support/load/stream-client.ts";
import { requireBuild } from "../support/program.ts";

const body = { model: "fake", messages: [{ role: "user", content: "hi" }] };

test("a thousand streams at once: under 300 MB, all whole, none starved (G-12)", {
  timeout: 120_000,
}, async () => {
  requireBuild();
  const numTokens = 24;
  using server = await forkFakeServer({ numTokens, tokenDelayMs: 400 });
  const sockets: Socket[] = [];
  // In waves: the server reads 512 bodies at a time, and tells the others to come again.
  for (let wave = 0; wave < 10; wave++) {
    const opening = Array.from({ length: 100 }, () => openStream(server.url, body));
    sockets.push(...(await Promise.all(opening)));
    await sleep(150);
  }
  const reading = Promise.all(sockets.map((socket) => readStream(socket)));
  let peakBytes = 0;
  let peakRunning = 0;
  let isDone = false;
  void reading.then(() => {
    isDone = true;
  });
  while (!isDone) {
    const { residentBytes, numRunning } = await server.state();
    peakBytes = Math.max(peakBytes, residentBytes);
    peakRunning = Math.max(peakRunning, numRunning);
    await sleep(100);
  }
  const streams = await reading;
  expect(streams.every(({ isWhole }) => isWhole)).toBe(true);
  expect(peakRunning).toBe(1_000);
  expect(peakBytes).toBeLessThan(300e6);
  const gaps = streams
    .flatMap(({ times }) => times.slice(1).map((time, index) => time - (times[index] ?? time)))
    .toSorted((a, b) => a - b);
  const median = gaps[Math.floor(gaps.length / 2)] ?? 0;
  expect(gaps.length).toBeGreaterThan(1_000 * (numTokens / 2));
  expect(gaps.at(-1)).toBeLessThan(10 * median);
});

test("two hundred clients that stop reading cost bounded memory, and others are answered (G-11)", {
  timeout: 120_000,
}, async () => {
  requireBuild();
  // Twenty megabytes of events each, if somebody kept them.
  using server = await forkFakeServer({ numTokens: 100_000, tokenDelayMs: 0 });
  const open = (): Promise<Socket> => openStream(server.url, { ...body, max_tokens: 100_000 });
  const sockets = await Promise.all(Array.from({ length: 200 }, open));
  for (const socket of sockets) socket.pause();
  const sizes: number[] = [];
  for (let second = 0; second < 12; second++) {
    await sleep(1_000);
    sizes.push((await server.state()).residentBytes);
  }
  // The kernel's buffers go on filling for minutes, at some 10 MB a second; none of that stays here.
  const [early = 0, late = 0] = [sizes.slice(0, 4), sizes.slice(-4)].map((part) =>
    Math.max(...part),
  );
  expect(late - early).toBeLessThan(40e6);
  expect(late).toBeLessThan(400e6);
  expect((await server.state()).numRunning).toBe(200);
  const other = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, max_tokens: 3 }),
  });
  expect(other.status).toBe(200);
  for (const socket of sockets) socket.destroy();
  for (let wait = 0; wait < 100 && (await server.state()).numRunning > 0; wait++) await sleep(50);
  expect((await server.state()).numRunning).toBe(0);
});
