import { expect, test } from "vitest";
import { findEngine } from "../engines/catalog.ts";
import { withoutCards } from "./without-cards.ts";

test("off the cards, an engine that would choose one is told so, and one that needs one is refused", async () => {
  const native = await findEngine("native");
  const choosing = { ...native, options: ["device"] };
  expect(withoutCards(choosing, { dtype: "float32" })).toEqual({ dtype: "float32", device: "cpu" });
  expect(withoutCards(choosing, { device: "auto" })).toEqual({ device: "cpu" });
  expect(withoutCards({ ...native, options: [] }, { a: 1 })).toEqual({ a: 1 });
  expect(() => withoutCards(choosing, { device: "cuda" })).toThrow(
    /asks for the processor, and --device for "cuda"/,
  );
  expect(() => withoutCards({ ...native, kind: "vllm" })).toThrow(
    expect.objectContaining({
      code: "engine_unavailable",
      message: expect.stringContaining("vLLM runs on graphics cards alone"),
    }),
  );
});
