/**
 * CUDA for the native engine, fetched for real: 0.6 GB, so only where ATALAYA_TEST_CUDA is set. Without a
 * card it shows that everything is found and loaded, to the driver that is missing.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { listGraphicsCards } from "../../src/devices/nvidia-smi.ts";
import {
  installEnvironment,
  listEnvironments,
  removeEnvironment,
} from "../../src/engines/environments.ts";
import { listNativeDevices } from "../../src/engines/list-devices.ts";

const lack =
  process.env["ATALAYA_TEST_CUDA"] === undefined
    ? " (skipped: ATALAYA_TEST_CUDA is not set; it fetches 0.6 GB)"
    : process.platform !== "linux" || process.arch !== "x64"
      ? " (skipped: only Linux on x64 has it)"
      : "";

let home = "";
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "cuda-home-"));
  vi.stubEnv("ATALAYA_HOME", home);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true, force: true });
});

test.skipIf(lack !== "")(
  `CUDA is installed on request, found, loaded, and removed${lack}`,
  { timeout: 600_000 },
  async () => {
    const warnings: string[] = [];
    const stages: string[] = [];
    const installed = await installEnvironment("cuda", {
      signal: new AbortController().signal,
      onProgress: ({ stage }) => stages.push(stage),
      onLog: () => undefined,
      onWarning: (sentence) => warnings.push(sentence),
    });
    expect(installed.wasThere).toBe(false);
    expect(stages.join("\n")).toMatch(/\d GB to fetch, \d\.\d GB on the disk/);
    const row = (await listEnvironments()).find(({ engine }) => engine === "cuda");
    expect(row).toMatchObject({ state: "installed" });
    expect(row?.sizeBytes).toBeGreaterThan(5e8);

    const { devices, problems } = await listNativeDevices();
    const cards = await listGraphicsCards();
    if (cards.length > 0) {
      expect(devices.map(({ id }) => id)).toContain("cuda0");
    } else {
      expect(warnings.join()).toMatch(/sees no NVIDIA graphics card/);
      expect(problems.find(({ backend }) => backend === "cuda")?.reason).toMatch(
        /^ggml's back end cuda could not be loaded: (libcuda\.so\.1 is missing \(it comes with|NVIDIA's driver has no card)/,
      );
      // The other back ends are none the worse.
      expect(devices.map(({ id }) => id)).toContain("cpu");
    }

    expect(await removeEnvironment("cuda")).toBeGreaterThan(5e8);
    expect(await removeEnvironment("cuda")).toBe(0);
  },
);
