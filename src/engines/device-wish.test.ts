import { expect, test } from "vitest";
import { readDeviceWish } from "./device-wish.ts";

test.each([
  { why: "nothing said", options: {}, devices: "auto", gpuLayers: "auto" },
  { why: "the processor", options: { device: "cpu" }, devices: [], gpuLayers: "auto" },
  {
    why: "the first of a kind",
    options: { device: "CUDA" },
    devices: ["cuda0"],
    gpuLayers: "auto",
  },
  {
    why: "several, each once",
    options: { device: "vulkan1,cpu,vulkan0,vulkan1", gpu_layers: 3 },
    devices: ["vulkan1", "vulkan0"],
    gpuLayers: 3,
  },
  { why: "llama.cpp's name", options: { n_gpu_layers: 7 }, devices: "auto", gpuLayers: 7 },
  { why: "llama.cpp's all", options: { n_gpu_layers: -1 }, devices: "auto", gpuLayers: "all" },
  {
    why: "ours before theirs",
    options: { gpu_layers: "all", n_gpu_layers: 7 },
    devices: "auto",
    gpuLayers: "all",
  },
])("$why", ({ options, devices, gpuLayers }) => {
  expect(readDeviceWish(options)).toEqual({ devices, gpuLayers });
});

test.each([
  { device: 0 },
  { device: "" },
  { device: "../vulkan0" },
  { device: "vulkan0;cpu" },
  { device: "v".repeat(10_000) },
  { gpu_layers: -2 },
  { gpu_layers: 1.5 },
  { gpu_layers: "some" },
  { gpu_layers: true },
  { device: "cpu", gpu_layers: 4 },
  { device: "cpu", gpu_layers: "all" },
])("%j is refused with the option's name", (options) => {
  expect(() => readDeviceWish(options)).toThrow(
    expect.objectContaining({ code: "invalid_request", message: expect.stringMatching(/^`--/) }),
  );
});
