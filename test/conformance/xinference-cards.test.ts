/** A machine with graphics cards, as Xinference's clients are told of it. The cards are made up; no driver is here. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "../../src/base/logger.ts";
import { Platform } from "../../src/platform.ts";
import type { App } from "../../src/server/http.ts";

const card = (index: number) => ({
  index,
  name: "H100",
  totalBytes: 81_559 * 2 ** 20,
  freeBytes: 80_000 * 2 ** 20,
});
let platform: Platform;
let app: App;
let numAsked = 0;

beforeAll(async () => {
  platform = new Platform({ log: createLogger("silent") });
  Object.assign(platform.xinference, {
    countGpus: async () => 2,
    listCards: async () => {
      numAsked += 1;
      return [card(0), card(1)];
    },
  });
  app = platform.app({ host: "127.0.0.1" });
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await platform[Symbol.asyncDispose]();
});

const get = async (url: string): Promise<unknown> => (await app.inject(url)).json();

test("cluster info sums the memory of the worker's cards, in words and in bytes", async () => {
  expect(await get("/v1/cluster/info")).toEqual([
    { node_type: "Supervisor", ip_address: expect.any(String), gpu_count: 0, gpu_vram_total: 0 },
    {
      node_type: "Worker",
      ip_address: expect.any(String),
      gpu_count: 2,
      gpu_vram_total: "163118MiB",
    },
  ]);
  expect(await get("/v1/cluster/info?detailed=true")).toMatchObject([
    { gpu_vram_total: 0, gpu_vram_available: 0, gpu_utilization: null },
    { gpu_vram_total: 163_118 * 2 ** 20, gpu_vram_available: 160_000 * 2 ** 20 },
  ]);
  expect(await get("/v1/cluster/devices")).toBe(2);
});

test("the status has each card, and the driver is not asked each time", async () => {
  const before = numAsked;
  for (let turn = 0; turn < 5; turn++) {
    const { workers } = (await get("/status")) as { workers: Record<string, { status: object }> };
    expect(Object.values(workers)[0]?.status).toMatchObject({
      cpu: { memory_total: expect.any(Number) },
      "1": { name: "H100", mem_total: 81_559 * 2 ** 20, mem_used: 1_559 * 2 ** 20, gpu_util: null },
    });
  }
  expect(numAsked - before).toBeLessThanOrEqual(1);
});
