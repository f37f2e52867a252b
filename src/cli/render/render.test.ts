import { expect, test } from "vitest";
import { renderSummary } from "./summary.ts";
import { renderTable } from "./table.ts";

test("a table has heads, dashes, and columns two spaces apart", () => {
  expect(
    renderTable(
      ["UID", "State"],
      [
        ["demo", "ready"],
        ["a", "starting"],
      ],
    ),
  ).toBe("UID   State\n----  --------\ndemo  ready\na     starting\n");
});

const image = {
  width: 1024,
  height: 768,
  grid: { rows: 2, columns: 2 },
  cached: false,
  encodeMs: 1_234,
};

test.each([
  {
    why: "a picture with its tiles and its time",
    facts: { images: [image], numTokens: 11, decodeMs: 500, reason: "stop" as const },
    line: "a.png 1024×768, 4 tiles (2×2), encoded in 1.2 s · 11 tokens, 20 tokens/s",
  },
  {
    why: "a picture that was there already",
    facts: {
      images: [{ ...image, grid: { rows: 1, columns: 1 }, cached: true }],
      numTokens: 1,
      decodeMs: 0,
      reason: "stop" as const,
    },
    line: "a.png 1024×768, 1 tile, cached · 1 token",
  },
  {
    why: "a picture that the model was not given",
    facts: { images: [undefined], numTokens: 2, decodeMs: 9, reason: "length" as const },
    line: "a.png not seen · 2 tokens · cut off at the token limit",
  },
  {
    why: "only that it was stopped, when the rest is not known",
    facts: { images: [undefined], numTokens: 0, decodeMs: 0, reason: "cancelled" as const },
    line: "stopped",
  },
])("a summary shows $why", ({ facts, line }) => {
  expect(renderSummary(facts, ["a.png"])).toBe(line);
});
