/** On cards that are made up: what goes where is arithmetic. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { builtinRegistry } from "../../test/support/serve.ts";
import { type ModelShape, shapeOfConfig } from "./model-shape.ts";
import { type Card, type PlacementRequest, planPlacement } from "./placement-plan.ts";

const { family } = await builtinRegistry().find("llama-3.2-vision-instruct");
const config = family.specs.find(({ size }) => size === 11)?.config;
const elevenB: ModelShape = shapeOfConfig(config, "q4_0");

const card = (id: string, gigabytes: number, more: Partial<Card> = {}): Card => ({
  id,
  name: `card ${id}`,
  kind: "gpu",
  backend: id.replace(/\d+$/, ""),
  isSoftware: false,
  freeBytes: gigabytes * 1e9,
  ...more,
});
const cpu = card("cpu", 64, { kind: "cpu" });
const lavapipe = card("vulkan0", 64, { isSoftware: true });

const request = (
  devices: readonly Card[],
  wish: Partial<PlacementRequest["wish"]> = {},
): PlacementRequest => ({
  wish: { devices: "auto", gpuLayers: "auto", ...wish },
  devices: [cpu, ...devices],
  dtype: "f16",
  maxModelLen: 8_192,
  maxNumSeqs: 1,
  hostFreeBytes: 64e9,
});

test("a card that holds all of it gets all of it", () => {
  const plan = planPlacement(elevenB, request([card("cuda0", 24)]));
  expect(new Set(plan?.placement.layers)).toEqual(new Set(["cuda0"]));
  expect(plan?.placement).toMatchObject({ head: "cuda0", tower: "cuda0" });
  expect(plan?.parts).toMatchObject([
    { device: "cuda0", numLayers: 40, hasHead: true, hasTower: true },
  ]);
});

test("a smaller one gets the tower, the head and the last layers", () => {
  const plan = planPlacement(elevenB, request([card("cuda0", 8)]));
  const { layers = [], head, tower } = plan?.placement ?? {};
  const first = layers.indexOf("cuda0");
  expect(first).toBeGreaterThan(0);
  expect(new Set(layers.slice(0, first))).toEqual(new Set(["cpu"]));
  expect(new Set(layers.slice(first))).toEqual(new Set(["cuda0"]));
  expect([head, tower]).toEqual(["cuda0", "cuda0"]);
});

test("two cards share the layers, in their order", () => {
  const plan = planPlacement(elevenB, request([card("cuda0", 7), card("cuda1", 12)]));
  const { layers = [], head } = plan?.placement ?? {};
  expect(layers).toEqual(layers.toSorted());
  expect([layers[0], layers.at(-1), head]).toEqual(["cuda0", "cuda1", "cuda1"]);
});

test.each([
  { why: "software", devices: [lavapipe] },
  { why: "integrated cards", devices: [card("vulkan0", 16, { kind: "integrated" })] },
  { why: "nothing but the processor", devices: [] },
])("$why: nothing is taken unasked", ({ devices }) => {
  expect(planPlacement(elevenB, request(devices))).toBeUndefined();
});

test("what is not taken unasked is taken by name, and a card seen twice is taken once", () => {
  const named = planPlacement(elevenB, request([lavapipe], { devices: ["vulkan0"] }));
  expect(named?.placement.tower).toBe("vulkan0");
  const twice = planPlacement(elevenB, request([card("vulkan0", 24), card("cuda0", 24)]));
  expect(twice?.parts.map(({ device }) => device)).toEqual(["cuda0"]);
});

test("so many layers as were asked for, from the last one", () => {
  const plan = planPlacement(elevenB, request([card("cuda0", 24)], { gpuLayers: 10 }));
  const { layers = [] } = plan?.placement ?? {};
  expect(layers.map((device) => device === "cuda0")).toEqual(layers.map((_, i) => i >= 30));
  const none = planPlacement(elevenB, request([card("cuda0", 24)], { gpuLayers: 0 }));
  expect(none?.placement).toMatchObject({ head: "cpu", tower: "cuda0" });
});

test("more layers than fit: how many do", () => {
  const wish = { devices: ["cuda0"], gpuLayers: "all" } as const;
  const refused = (): unknown => planPlacement(elevenB, request([card("cuda0", 6)], wish));
  expect(refused).toThrow(
    /40 layers take [\d.]+ GB .* 6\.0 GB on cuda0 are free: (\d+) layers fit/,
  );
  let message = "";
  try {
    refused();
  } catch (error) {
    message = String(error);
  }
  const fit = Number(/(\d+) layers fit/.exec(message)?.[1]);
  expect(fit).toBeGreaterThan(0);
  const asked = (gpuLayers: number) =>
    planPlacement(elevenB, request([card("cuda0", 6)], { devices: ["cuda0"], gpuLayers }));
  expect(asked(fit)?.placement.layers.filter((device) => device === "cuda0").length).toBe(fit);
  expect(() => asked(fit + 1)).toThrow(/out_of_memory|layers fit/);
});

test("a device that is not there: what there is", () => {
  const wish = { devices: ["cuda3"] };
  expect(() => planPlacement(elevenB, request([card("vulkan0", 24)], wish))).toThrow(
    /There is no device cuda3; there are cpu, vulkan0\./,
  );
});

test("no card is ever filled beyond what it has, every layer lies somewhere, and cards follow the processor", () => {
  const cards = fc
    .array(fc.integer({ min: 0, max: 40 }), { maxLength: 4 })
    .map((sizes) => sizes.map((size, index) => card(`cuda${index}`, size)));
  const layers = fc.oneof(fc.constant("auto" as const), fc.nat(60));
  fc.assert(
    fc.property(cards, layers, (devices, gpuLayers) => {
      let plan: ReturnType<typeof planPlacement>;
      try {
        plan = planPlacement(elevenB, request(devices, { gpuLayers }));
      } catch {
        return;
      }
      if (plan === undefined) return;
      for (const { device, bytes, freeBytes } of plan.parts) {
        if (device !== "cpu") expect(bytes).toBeLessThanOrEqual(freeBytes);
      }
      expect(plan.placement.layers.length).toBe(40);
      const onCards = plan.placement.layers.map((device) => device !== "cpu");
      expect(onCards).toEqual(onCards.toSorted((a, b) => Number(a) - Number(b)));
      if (gpuLayers !== "auto") {
        expect(onCards.filter(Boolean).length).toBe(Math.min(gpuLayers, 40));
      }
    }),
  );
});
