import { expect, test } from "vitest";
import { toReport } from "./device-report.ts";

const device = {
  id: "vulkan0",
  name: "NVIDIA GeForce RTX 4090",
  backend: "vulkan",
  kind: "gpu",
  isSoftware: false,
  freeBytes: 2e10,
  totalBytes: 2.4e10,
} as const;
const cpu = { ...device, id: "cpu", name: "EPYC", backend: "cpu", kind: "cpu" } as const;
const nvidia = {
  index: 0,
  uuid: "GPU-1",
  name: "NVIDIA GeForce RTX 4090",
  totalBytes: 2.4e10,
  freeBytes: 2e10,
  computeCapability: 8.9,
  driverVersion: "570.10",
};

test("a card's driver is told, and of the processor what is really free", () => {
  const report = toReport(
    { devices: [cpu, device], problems: [] },
    { cards: [nvidia], hostFreeBytes: 5e9, cudaToInstall: undefined },
  );
  expect(report.devices).toMatchObject([{ id: "cpu", freeBytes: 5e9 }, { driver: "570.10" }]);
  expect(report.missing).toEqual([]);
});

test("a card that only nvidia-smi sees, and a back end that does not load, are sentences", () => {
  const problems = [{ backend: "vulkan", reason: "There is no driver." }];
  const report = toReport(
    { devices: [cpu], problems },
    { cards: [nvidia], hostFreeBytes: 5e9, cudaToInstall: "0.6 GB to fetch: atalaya …" },
  );
  expect(report.missing).toEqual([
    "There is no driver.",
    expect.stringMatching(/^nvidia-smi sees NVIDIA GeForce RTX 4090 \(driver 570\.10\), and no/),
    expect.stringMatching(/through CUDA, which is not installed: 0\.6 GB to fetch: atalaya …\.$/),
  ]);
});
