import { expect, test } from "vitest";
import { parseDurationMs } from "./duration.ts";

test.each([
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["90d", 7_776_000_000],
  ["1.5s", 1_500],
  ["-1m", -60_000],
  ["250ms", 250],
  ["5", undefined],
  ["m", undefined],
  ["5 m", undefined],
  ["", undefined],
  ["1e3s", undefined],
])("%s is %s ms", (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});
