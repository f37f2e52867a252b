import { expect, test } from "vitest";
import { parseKeepAlive } from "./keep-alive.ts";

test.each([
  { value: undefined, means: undefined },
  { value: null, means: undefined },
  { value: "", means: undefined },
  { value: 0, means: 0 },
  { value: "0", means: 0 },
  { value: "0s", means: 0 },
  { value: 300, means: 300_000 },
  { value: "30", means: 30_000 },
  { value: "5m", means: 300_000 },
  { value: "1h30m", means: 5_400_000 },
  { value: "1.5s", means: 1_500 },
  { value: "250ms", means: 250 },
  { value: -1, means: "forever" },
  { value: "-1", means: "forever" },
  { value: "-1m", means: "forever" },
])("$value means $means", ({ value, means }) => {
  expect(parseKeepAlive(value)).toBe(means);
});

test.each(["soon", "5 minutes", "m", "5d", "1h-30m", "٥m"])("%s is refused by name", (value) => {
  expect(() => parseKeepAlive(value)).toThrow(
    expect.objectContaining({ code: "invalid_request", details: { param: "keep_alive" } }),
  );
});
