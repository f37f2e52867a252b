import { expect, test } from "vitest";
import { cardObstacle } from "./card-obstacle.ts";

const card = { name: "NVIDIA H100", driverVersion: "570.86.10", computeCapability: 9 };

test.each([
  { why: "no card", cards: [], hasDriver: false, says: /this machine has none\.$/ },
  { why: "a driver without cards", cards: [], hasDriver: true, says: /no graphics card that/ },
  {
    why: "an old driver",
    cards: [{ ...card, driverVersion: "470.82.01" }],
    hasDriver: true,
    says: /driver 470\.82\.01 is too old .* needs 525 or newer\.$/,
  },
  {
    why: "an old card",
    cards: [{ ...card, name: "Tesla P40", computeCapability: 6.1 }],
    hasDriver: true,
    says: /The Tesla P40 has compute capability 6\.1/,
  },
])("$why is told, with what would help", ({ cards, hasDriver, says }) => {
  const obstacle = cardObstacle(cards, { hasDriver });
  expect(obstacle?.reason).toMatch(says);
  expect(obstacle?.remedy).toMatch(/--model-engine native/);
});

test.each([card, { ...card, driverVersion: "525.60.13", computeCapability: undefined }])(
  "a card that does is no obstacle",
  (one) => {
    expect(cardObstacle([one], { hasDriver: true })).toBeUndefined();
  },
);
