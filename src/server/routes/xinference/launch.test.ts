/** What a launch asks for and what its engine is then told; what it asks for in vain is said. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fakeEngine, findNative, tinyCheckpoint } from "../../../../test/support/serve.ts";
import { createLogger } from "../../../base/logger.ts";
import type { EngineLoadOptions } from "../../../engines/engine.ts";
import { Platform } from "../../../platform.ts";
import type { App } from "../../http.ts";

let home: string;
let platform: Platform;
let app: App;
let loaded: EngineLoadOptions[];
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "launch-"));
  loaded = [];
  const engine = await fakeEngine("a");
  const find = findNative(async (options) => {
    loaded.push(options);
    return engine;
  });
  platform = new Platform({
    log: createLogger("silent"),
    settings: { home, modelRoots: [] },
    parts: {
      findEngine: async (name) => ({ ...(await find(name)), options: ["device", "num_threads"] }),
    },
  });
  app = platform.app({ host: "127.0.0.1" });
});
afterEach(async () => {
  await app.close();
  await platform[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const launch = async (fields: Record<string, unknown>) =>
  await app.inject({
    method: "POST",
    url: "/v1/models",
    payload: { model_path: tinyCheckpoint, model_uid: "a", ...fields },
  });

describe("a launch", () => {
  test.each([
    { fields: { n_gpu: null }, told: { device: "cpu" } },
    { fields: { n_gpu: "auto" }, told: {} },
    { fields: {}, told: {} },
    { fields: { device: "auto" }, told: { device: "auto" } },
  ])("with $fields tells the engine $told", async ({ fields, told }) => {
    const reply = await launch(fields);
    expect(reply.statusCode).toBe(200);
    expect(loaded).toMatchObject([{ engineOptions: told }]);
    expect(Object.keys(loaded[0]?.engineOptions ?? {})).toEqual(Object.keys(told));
  });

  test("off the cards and on one is refused", async () => {
    const reply = await launch({ n_gpu: null, device: "cuda" });
    expect(reply.statusCode).toBe(400);
    expect(reply.json().error).toMatchObject({ param: "n_gpu" });
  });

  test.each([
    {
      fields: {
        virtual_env_packages: ["evil==1.0", "git+https://example.org/evil"],
        virtual_env_find_links: ["https://example.org/wheels"],
      },
      ignored: "virtual_env_packages, virtual_env_find_links",
    },
    { fields: { enable_virtual_env: true }, ignored: "enable_virtual_env" },
    { fields: { enable_virtual_env: false, virtual_env_packages: [] }, ignored: undefined },
    { fields: { trust_remote_code: true, model_type: "LLM", envs: {} }, ignored: undefined },
  ])("with $fields says what of it changes nothing: $ignored (MF-19)", async (row) => {
    const reply = await launch(row.fields);
    expect(reply.statusCode).toBe(200);
    expect(reply.headers["x-ignored-fields"]).toBe(row.ignored);
    // Nothing of it reaches the engine, and no environment was made.
    expect(JSON.stringify(loaded)).not.toMatch(/evil|example\.org/);
    expect(loaded[0]?.engineOptions).toEqual({});
    expect(readdirSync(home)).not.toContain("engines");
  });

  test.each(["envs", "PYTHONPATH", "index_url", "python", "worker_address"])(
    "with %s is refused (MF-19)",
    async (field) => {
      const reply = await launch({ [field]: { LD_PRELOAD: "/x.so" } });
      expect(reply.statusCode).toBe(400);
      expect(loaded).toEqual([]);
    },
  );
});
