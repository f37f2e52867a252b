import { expect, test } from "vitest";
import { RateMeter, showBytes, showDuration } from "./quantities.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1.0 kB"],
  [999_499, "999 kB"],
  [999_999, "1.0 MB"],
  [21_340_000_000, "21.3 GB"],
  [178e9, "178 GB"],
])("%d bytes are %s", (bytes, text) => {
  expect(showBytes(bytes)).toBe(text);
});

test.each([
  [0, "1 s"],
  [59, "59 s"],
  [59.6, "1 min"],
  [3_599, "1 h 0 min"],
  [5_400, "1 h 30 min"],
])("%d seconds are %s", (seconds, text) => {
  expect(showDuration(seconds)).toBe(text);
});

test("a speed is that of the last seconds, and not told too early", () => {
  const meter = new RateMeter({ windowMs: 1_000 });
  meter.add(0, 0);
  meter.add(50, 100);
  expect(meter.rate()).toBeUndefined();
  meter.add(1_000, 1_000);
  expect(meter.rate()).toBe(1_000);
  for (let second = 2; second <= 5; second++) meter.add(1_000 + (second - 1) * 10, second * 1_000);
  expect(meter.rate()).toBe(10);
});
